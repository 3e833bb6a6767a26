using SmileApi.Classify;

namespace SmileApi.Streams;

/// <summary>
/// Knows the faces of a stream from frame to frame: gives each a number, smooths its probability over time, and says when a smile
/// starts and ends. A face is the same one when its box overlaps with where it was last (intersection over union), which is all that
/// a camera's thirty frames a second need; one that moves further between two frames is a new one. Used by one caller at a time.
/// </summary>
internal sealed class FaceTracks(StreamQuery query, TimeProvider time)
{
    private const double LeastOverlap = 0.3;

    /// <summary>As many as a frame can have faces. Beyond, those that are not seen now are forgotten at once.</summary>
    private const int Most = 1000;

    /// <summary>So long a face may not be seen, and still be the same when it is back.</summary>
    private static readonly TimeSpan s_memory = TimeSpan.FromSeconds(1);

    private readonly List<Track> _tracks = [];
    private int _faces;

    /// <param name="frame">The number of the next frame.</param>
    /// <param name="verdict">What was found in it.</param>
    /// <param name="at">When it arrived, a timestamp of the time provider.</param>
    /// <returns>The verdict with numbered and smoothed faces, and what has happened, if anything has.</returns>
    public (Verdict Verdict, IReadOnlyList<SmileEvent>? Events) Follow(int frame, Verdict verdict, long at)
    {
        List<SmileEvent>? events = null;
        var (start, end) = query.Hysteresis(verdict.Threshold);
        var faces = new FaceVerdict[verdict.Faces.Count];
        for (var i = 0; i < faces.Length; i++)
        {
            // The largest face chooses first.
            var face = verdict.Faces[i];
            var track = Nearest(face.Box, frame) ?? Begin(face, at);
            track.Probability = Smoothed(track, face.Probability, at);
            (track.Box, track.Frame, track.Seen) = (face.Box, frame, at);
            faces[i] = face with { Id = track.Id, Probability = track.Probability, Smile = track.Probability >= verdict.Threshold };
            if (track.Smiles ? track.Probability < end : track.Probability >= start)
            {
                track.Smiles = !track.Smiles;
                (events ??= []).Add(new SmileEvent(track.Smiles ? SmileEvent.Started : SmileEvent.Ended, track.Id, track.Probability));
            }
        }

        foreach (var gone in Forgotten(frame, at))
        {
            if (gone.Smiles)
            {
                (events ??= []).Add(new SmileEvent(SmileEvent.Ended, gone.Id, gone.Probability));
            }
        }

        var largest = faces.Length > 0 ? faces[0] : null;
        return (verdict with { Smile = largest?.Smile, Probability = largest?.Probability, Faces = faces }, events);
    }

    /// <returns>The face that was where this box is, and that no other of this frame is.</returns>
    private Track? Nearest(Box box, int frame)
    {
        var (nearest, most) = ((Track?)null, LeastOverlap);
        foreach (var track in _tracks)
        {
            if (track.Frame != frame && Overlap(track.Box, box) is var overlap && overlap >= most)
            {
                (nearest, most) = (track, overlap);
            }
        }

        return nearest;
    }

    private Track Begin(FaceVerdict face, long at)
    {
        var track = new Track(++_faces) { Box = face.Box, Probability = face.Probability, Seen = at };
        _tracks.Add(track);
        return track;
    }

    /// <summary>Exponential smoothing for frames that come at any pace: after the time constant, 1/e of what was is left.</summary>
    private float Smoothed(Track track, float probability, long at) =>
        query.Smooth == TimeSpan.Zero
            ? probability
            : probability + (track.Probability - probability) * (float)Math.Exp(-time.GetElapsedTime(track.Seen, at) / query.Smooth);

    private List<Track> Forgotten(int frame, long at)
    {
        var gone = _tracks.FindAll(track => track.Frame != frame && (time.GetElapsedTime(track.Seen, at) > s_memory || _tracks.Count > Most));
        _tracks.RemoveAll(gone.Contains);
        return gone;
    }

    private static double Overlap(Box one, Box other)
    {
        var width = Math.Min(one.X + one.Width, other.X + other.Width) - Math.Max(one.X, other.X);
        var height = Math.Min(one.Y + one.Height, other.Y + other.Height) - Math.Max(one.Y, other.Y);
        var both = Math.Max(0L, width) * Math.Max(0L, height);
        return (double)both / ((long)one.Width * one.Height + (long)other.Width * other.Height - both);
    }

    private sealed class Track(int id)
    {
        public int Id => id;

        public required Box Box { get; set; }

        public required float Probability { get; set; }

        /// <summary>In which frame it was last.</summary>
        public int Frame { get; set; }

        /// <summary>When that arrived, a timestamp.</summary>
        public required long Seen { get; set; }

        public bool Smiles { get; set; }
    }
}
