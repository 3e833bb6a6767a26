using System.Net;
using System.Net.Sockets;
using System.Text;
using SmileApi.Classify;
using SmileApi.Explain;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Admission;

/// <summary>Answers that do not fit into the buffers between the service and a reader who does not read.</summary>
public sealed class LargeAnswerTests
{
    private const int Side = 1024;
    private static readonly long s_drawing = Drawing.MemoryOf(new ImageInfo(Side, Side, "png"));

    [Fact]
    public async Task An_answer_that_is_not_read_holds_its_memory_but_no_place_until_it_has_left()
    {
        const int Requests = 16; // The first ones find room in the buffers of the system.
        using var gated = GatedApp.Start();
        gated.Open();
        using var socket = await gated.ConnectAsync();
        var sending = SendAsync(socket, Requests);
        await HeldAsync(gated);

        using (var other = await gated.PostAsync())
        {
            Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        }

        await HeldAsync(gated);
        var answers = await ReadAsync(socket, Requests);
        await sending;
        Assert.Equal(Requests, answers);
        await gated.IsEmpty();
    }

    [Fact]
    public async Task A_reader_who_is_too_slow_is_cut_off_and_frees_everything()
    {
        using var gated = GatedApp.Start();
        gated.Open();
        using var socket = await gated.ConnectAsync();

        var sending = SendAsync(socket, 16, "X-Request-Timeout: 20\r\n");
        await HeldAsync(gated);
        gated.Time.Advance(TimeSpan.FromSeconds(44.9));
        await HeldAsync(gated); // Twice the time and five seconds are allowed.

        gated.Time.Advance(TimeSpan.FromSeconds(0.2));
        await gated.IsEmpty();
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        Assert.True(sending.IsFaulted || await ReadAsync(socket, 16) < 16);
    }

    private static async Task SendAsync(Socket socket, int requests, string header = "")
    {
        await Task.Yield();
        var picture = Make.PngFromGrey(Make.Noise(Side * Side, seed: 1), Side, Side);
        var head = Encoding.ASCII.GetBytes($"POST /explain?faces=whole HTTP/1.1\r\nHost: localhost\r\nContent-Length: {picture.Length}\r\n{header}\r\n");
        for (var i = 0; i < requests; i++)
        {
            foreach (var part in new[] { head, picture })
            {
                for (var sent = 0; sent < part.Length;)
                {
                    sent += await socket.SendAsync(part.AsMemory(sent));
                }
            }
        }
    }

    /// <summary>Waits until nobody is at work, and still the memory of a drawing is held.</summary>
    private static async Task HeldAsync(GatedApp gated)
    {
        for (var (still, left) = (0, 6000); still < 20; still++, left--)
        {
            Assert.True(left > 0, $"{gated.Gate.Arriving} arriving, {gated.Gate.Working} at work, {gated.Memory.UploadBytesHeld} bytes held.");
            still = (gated.Gate.Arriving, gated.Gate.Working) == (0, 0) && gated.Memory.UploadBytesHeld >= s_drawing ? still : 0;
            await Task.Delay(10);
        }
    }

    /// <returns>How many answers came whole.</returns>
    private static async Task<int> ReadAsync(Socket socket, int answers)
    {
        using var reader = new BufferedStream(new NetworkStream(socket), 64 << 10);
        var skipped = new byte[64 << 10];
        for (var whole = 0; whole < answers; whole++)
        {
            var (length, status) = (0, "");
            for (var line = Line(); line != ""; line = Line())
            {
                if (line is null)
                {
                    return whole;
                }

                status = status.Length == 0 ? line : status;
                length = line.StartsWith("Content-Length: ", StringComparison.Ordinal) ? int.Parse(line["Content-Length: ".Length..], System.Globalization.CultureInfo.InvariantCulture) : length;
            }

            Assert.StartsWith("HTTP/1.1 200", status, StringComparison.Ordinal);
            Assert.True(length > 1 << 20, $"A drawing of noise has {length} bytes only.");
            while (length > 0)
            {
                var read = await NextAsync(length);
                if (read == 0)
                {
                    return whole;
                }

                length -= read;
            }
        }

        return answers;

        async Task<int> NextAsync(int most)
        {
            try
            {
                return await reader.ReadAsync(skipped.AsMemory(0, Math.Min(most, skipped.Length)));
            }
            catch (IOException)
            {
                return 0; // Reset.
            }
        }

        string? Line()
        {
            var line = new StringBuilder();
            for (var next = reader.ReadByte(); next != '\n'; next = reader.ReadByte())
            {
                if (next < 0)
                {
                    return null;
                }

                line.Append((char)next);
            }

            return line.ToString().TrimEnd('\r');
        }
    }
}
