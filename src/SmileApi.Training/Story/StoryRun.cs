using System.Globalization;

namespace SmileApi.Training;

/// <summary>The training of one point of the learning curve: some of the pictures, and a run folder of its own.</summary>
/// <remarks>
/// All points take the same number of gradient steps, so that they differ in their pictures only. The trainer judges once an
/// epoch; a list that repeats few pictures makes epochs of about a sixteenth of the steps, however few there are.
/// </remarks>
internal sealed class StoryRun
{
    /// <summary>In place of a number of pictures: every one.</summary>
    public const string All = "all";

    private const int Judgements = 16;

    /// <summary>Training faces of which each epoch tells the accuracy. It is only shown; a larger sample would take a tenth of the time.</summary>
    private const int TrainSample = 500;

    private readonly string _folder;
    private readonly string _size;
    private readonly Face[] _faces;
    private readonly TrainOptions _options;
    private readonly TrainingData _data;
    private Checkpoint? _checkpoint;

    /// <summary>Chooses the pictures, and takes up what an earlier call has left in the run folder.</summary>
    /// <param name="runs">Folder of all run folders.</param>
    /// <param name="size">Pictures of each class, or <see cref="All"/>.</param>
    /// <param name="steps">Gradient steps, at least 1.</param>
    /// <param name="data">All faces there are.</param>
    /// <exception cref="CommandException">There are not so many pictures, or the folder holds another run.</exception>
    public StoryRun(string runs, string size, int steps, int seed, TrainingData data)
    {
        (_folder, _size) = (Path.Combine(runs, size), size);
        _faces = size == All ? [.. data.Train] : Draw(data.Train, int.Parse(size, CultureInfo.InvariantCulture), seed);
        var defaults = TrainOptions.Quick; // So few steps learn little from crops spoilt worse.
        var repeats = (int)Math.Ceiling((double)defaults.BatchSize * Math.Max(1, steps / Judgements) / _faces.Length);
        _data = data with { Train = [.. Enumerable.Repeat(_faces, repeats).SelectMany(faces => faces)] };
        _options = defaults with { Seed = seed, Epochs = Math.Max(1, (int)Math.Round((double)steps / Batches(defaults))), TrainSample = TrainSample };
        if (!File.Exists(Path.Combine(_folder, Checkpoint.FileName)))
        {
            return;
        }

        _checkpoint = Checkpoint.Load(_folder);
        if (_checkpoint.Options != _options || _checkpoint.Pictures != _data.Train.Count || !_checkpoint.Data.ToHashSet().SetEquals(_data.Hashes))
        {
            throw new CommandException($"{_folder} holds a run with other options or of other pictures: name another folder by --runs, or delete it.");
        }
    }

    /// <summary>Trains to the end, or until asked to stop.</summary>
    /// <param name="report">Takes one line an epoch.</param>
    /// <returns>The point, or null when stopped before its end.</returns>
    public CurvePoint? Train(Action<string> report, CancellationToken stopping)
    {
        var rate = 0.0;
        _checkpoint = new Trainer(_options, _data, Save, step => rate = step.ImagesPerSecond).Run(_checkpoint, stopping);
        if (_checkpoint.Epoch < _options.Epochs)
        {
            return null;
        }

        var (last, score) = (_checkpoint.History[^1], _checkpoint.History[^1].Val);
        var smiles = _faces.Count(face => face.IsSmile);
        return new CurvePoint(
            _size, smiles, _faces.Length - smiles, last.Epoch * Batches(_options), last.Train.Accuracy, score.Accuracy,
            Interval.Wilson((int)Math.Round(score.Accuracy * score.Count), score.Count), score.BalancedAccuracy, score.RocAuc, score.LogLoss,
            new ChosenEpoch(_checkpoint.BestEpoch * Batches(_options), _checkpoint.Val));

        void Save(Checkpoint checkpoint)
        {
            checkpoint.Save(_folder);
            var (epoch, loss, train, val, seconds) = checkpoint.History[^1];
            var left = TimeSpan.FromSeconds(seconds * (_options.Epochs - epoch));
            report(
                $"{(_size == All ? "all pictures" : $"{_size} a class"),12}  epoch {epoch,2}/{_options.Epochs}  loss {loss ?? train.LogLoss:F4}  train {train.LogLoss:F4} {train.Accuracy:P2}  val {val.LogLoss:F4} {val.Accuracy:P2} balanced {val.BalancedAccuracy:P2} AUC {val.RocAuc:F4}  {rate:F0} images/s  {seconds:F0} s{(epoch == 0 ? "" : $"  {left:h\\:mm\\:ss} left")}");
        }
    }

    /// <summary>The first layer's filters before the first step and after each epoch; null where the run has not kept them.</summary>
    public IReadOnlyList<IReadOnlyList<Filter>>? Filters => _checkpoint?.Filters;

    /// <summary>As many pictures of each class, chosen by chance; fewer of the same seed are among more.</summary>
    /// <exception cref="CommandException">There are not so many.</exception>
    public static Face[] Draw(IReadOnlyList<Face> faces, int perClass, int seed)
    {
        return [.. OfClass(smile: true), .. OfClass(smile: false)];

        IEnumerable<Face> OfClass(bool smile)
        {
            Face[] all = [.. faces.Where(face => face.IsSmile == smile)];
            return all.Length >= perClass
                ? new SplitMix(seed, RandomPurpose.Subset, smile ? 1 : 0).Shuffled(all.Length).Take(perClass).Select(i => all[i])
                : throw new CommandException($"There are {all.Length} {(smile ? "smile" : "nonsmile")} pictures to learn from, fewer than the {perClass} of --sizes.");
        }
    }

    /// <summary>Steps of an epoch.</summary>
    private int Batches(TrainOptions options) => _data.Train.Count / Math.Min(options.BatchSize, _data.Train.Count);
}
