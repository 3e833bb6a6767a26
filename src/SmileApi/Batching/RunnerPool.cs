using SmileApi.Inference;

namespace SmileApi.Batching;

/// <summary>
/// What runs one set of models: on the CPU one session that all runners share, on GPUs some sessions a device. A run goes to the
/// device, and there to the session, with the fewest under way. How many run at a time is the batcher's business.
/// </summary>
/// <param name="sessions">Become the pool's own.</param>
internal sealed class RunnerPool(IReadOnlyList<SessionRunners> sessions) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly int[] _load = new int[sessions.Count];

    /// <summary>Whether what fails in one session can be tried in another.</summary>
    public bool HasSeveral => sessions.Count > 1;

    /// <summary>The devices of the sessions, each once.</summary>
    public IReadOnlyList<Device> Devices { get; } = [.. sessions.Select(one => one.Device).Distinct()];

    /// <summary>Chooses where the next run goes. The caller gives the place back by <see cref="Leave"/>.</summary>
    /// <param name="failed">Where it has failed already, which is only taken when there is nothing else.</param>
    public SessionRunners Choose(SessionRunners? failed)
    {
        if (!HasSeveral)
        {
            return sessions[0];
        }

        lock (_lock)
        {
            // A device that is lost fails at once and so has nothing to do: it must not get all the work for that. Whoever comes
            // when it may be mended tries, and if that fails goes elsewhere.
            var best = Enumerable.Range(0, sessions.Count).MinBy(i => (sessions[i] == failed, sessions[i].Health, LoadOf(sessions[i].Device), _load[i]));
            _load[best]++;
            return sessions[best];
        }
    }

    /// <summary>A run has ended there, or was given up.</summary>
    public void Leave(SessionRunners place)
    {
        if (HasSeveral)
        {
            lock (_lock)
            {
                _load[IndexOf(place)]--;
            }
        }
    }

    /// <summary>Runs each batch size once in each session, so that memory for all of them is there.</summary>
    public Task WarmAsync(int maxBatch, CancellationToken aborted) =>
        Task.WhenAll(sessions.Select(one => Task.Run(() => one.Warm(maxBatch, aborted), CancellationToken.None)));

    /// <summary>Closes what is idle; what runs is closed when it is returned.</summary>
    public void Dispose()
    {
        foreach (var one in sessions)
        {
            one.Dispose();
        }
    }

    private int LoadOf(Device device)
    {
        var load = 0;
        for (var i = 0; i < sessions.Count; i++)
        {
            load += sessions[i].Device == device ? _load[i] : 0;
        }

        return load;
    }

    private int IndexOf(SessionRunners place)
    {
        var i = 0;
        while (sessions[i] != place)
        {
            i++;
        }

        return i;
    }
}
