using Microsoft.Extensions.Options;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Batching;

/// <summary>What the networks run on: as configured, or the CPU where that was left open and no GPU can be used.</summary>
internal sealed partial class InferenceDevices
{
    /// <summary>Exit code of a service whose GPU cannot be used (EX_UNAVAILABLE of sysexits.h): not the configuration is at fault.</summary>
    private const int Unavailable = 69;

    /// <exception cref="StartRefusedException">CUDA was asked for and cannot be used.</exception>
    public InferenceDevices(IOptions<InferenceOptions> options, ILogger<InferenceDevices> logger)
    {
        Device[] devices = options.Value.Provider == InferenceOptions.Cpu ? [Device.Cpu] : [.. Gpus(options.Value)];
        if (WhatIsWrong(devices) is { } wrong)
        {
            if (options.Value.Provider != InferenceOptions.Auto)
            {
                throw new StartRefusedException($"Inference:Provider is {options.Value.Provider}, which cannot be used: {wrong}.", Unavailable);
            }

            LogFallback(logger, wrong);
            (devices, Fallback) = ([Device.Cpu], wrong);
        }

        // Devices by turns, so that the first sessions are on all of them. On the CPU one session serves all runners.
        Sessions = [.. Enumerable.Repeat(devices, devices[0] == Device.Cpu ? 1 : options.Value.SessionsPerDevice).SelectMany(all => all)];
        var names = string.Join(", ", devices.Select(device => device.Name));
        LogDevices(logger, names, Sessions.Count);
    }

    /// <summary>For tests: these devices, whatever is configured.</summary>
    internal InferenceDevices(IReadOnlyList<Device> sessions)
    {
        Sessions = sessions;
    }

    /// <summary>The device of each session.</summary>
    public IReadOnlyList<Device> Sessions { get; }

    /// <summary>Why no GPU is used although one was wanted, in a part of a sentence; null when that is not so.</summary>
    public string? Fallback { get; }

    private static IEnumerable<Device> Gpus(InferenceOptions options) => options.Devices.DefaultIfEmpty(0).Select(index => Device.Cuda(
        index, options.MaxDeviceBytes / options.SessionsPerDevice / InferenceOptions.NetworksPerSession, options.ArenaExtendStrategy));

    private static string? WhatIsWrong(Device[] devices)
    {
        foreach (var device in devices.Where(device => device != Device.Cpu))
        {
            if (device.WhatIsWrong() is { } wrong)
            {
                return $"{device.Name}: {wrong.TrimEnd('.')}";
            }
        }

        return null;
    }

    [LoggerMessage(EventId = 2007, Level = LogLevel.Information, Message = "Networks run on {Devices}; sessions: {Sessions}")]
    private static partial void LogDevices(ILogger logger, string devices, int sessions);

    [LoggerMessage(EventId = 2008, Level = LogLevel.Warning, Message = "Inference:Provider is auto and no GPU can be used, so that networks run on the CPU. {Reason}")]
    private static partial void LogFallback(ILogger logger, string reason);
}
