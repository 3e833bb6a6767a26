using System.Globalization;

namespace SmileApi.Training;

/// <summary>The card of a model that learned from <c>lfw160.tar</c>, as Markdown: words from here, every figure from <see cref="CardFigures"/>.</summary>
internal static class ModelCard
{
    /// <summary>What is true of one version only and stands in no file.</summary>
    private static readonly Dictionary<string, string> Remarks = new()
    {
        ["1.1.0"] =
            " That was on two shared cores, and the first run took 9. The first run of this version was made with the blur and noise of version 1.0.0 (half as much), so its soft labels differ a little from those that these commands give today.",
    };

    /// <returns>Lines that end in a line feed.</returns>
    public static string Text(CardFigures figures)
    {
        var sections = new[]
        {
            Head(figures), Meaning(figures), Network(figures), Learning(figures), StorySection(figures), Data(figures), Scores(figures), Limits(figures), Reproduction(figures),
        };
        return string.Join("\n\n", sections.Where(section => section.Length > 0)).ReplaceLineEndings("\n") + "\n";
    }

    private static string Head(CardFigures figures) => Format(
        $"""
        <!-- Written by `smile card`; its words are in src/SmileApi.Training/Judging/ModelCard.cs. -->
        # {figures.Metadata.Name} {figures.Metadata.Version}

        One face in, the chance that it smiles out: a convolutional network that began as random numbers and learned from {figures.Metadata.Training.Pictures:N0} photographs.

        > **Research use only.** The training pictures allow no more ([LICENSE](LICENSE)). For anything else retrain on pictures of your own, by one command: `smile train --data DATA`.
        """);

    private static string Meaning(CardFigures figures) => Format(
        $"""
        ## What it says

        `probability` in 0..1 that the face shows a **smile**: the corners of the mouth raised, teeth showing or not. That is an expression, not a feeling; people smile without being happy and are happy without smiling. From {figures.Metadata.Threshold} on the answer is "smile". The probability is calibrated on the validation faces by one temperature (below); on the test faces its expected calibration error is {figures.Test.CalibrationError:F3}.

        It is meant for research, for teaching how such a network is made, and for sorting photographs where a wrong answer costs nothing. It is **not** meant for judging people: not their mood, honesty, health, performance or intentions, and not for decisions about them.
        """);

    private static string Network(CardFigures figures)
    {
        var (input, cost) = (figures.Metadata.Input, figures.Metadata.Cost);
        return Format(
            $"""
            ## The network

            | | |
            |---|---|
            | input | `image`, float32 [N, 1, {input.Side}, {input.Side}]: a grey square from the brow to below the lower lip, `(level - {input.Mean:F2}) / {input.Deviation:F2}` |
            | output | `probability`, float32 [N, 1] |
            | layers | {cost.Layers} with weights: {cost.Layers - 1} convolutions (a 5x5 stem, nine residual blocks) and 1 linear; ReLU; shortcuts have no weights |
            | numbers | {cost.Parameters:N0}; batch normalisation is folded into the convolutions |
            | cost | {cost.MultiplyAdds / 1e6:F1} million multiply-adds a face |
            | file | `smile.onnx`, {figures.FileSize / 1e6:F1} MB, opset 17; its metadata says all that a server must know |
            """);
    }

    private static string Learning(CardFigures figures)
    {
        var (history, options, start) = (figures.History, figures.History.Options, figures.History.Epochs[0].Val);
        var timid = history.Temperature < 1 && figures.Cleaned.Count > 0 ? " (learning from soft labels leaves them timid)" : "";
        return Format(
            $"""
            ## How it learned

            Binary cross-entropy, stochastic gradient descent with Nesterov momentum {options.Momentum} (rate {options.LearningRate}, warm-up over {options.WarmUp:P0} of the steps, then a cosine to 0), batches of {options.BatchSize}, weight decay {options.WeightDecay:0.#e-0}, dropout {options.Dropout}, {options.Epochs} epochs, seed {options.Seed}. Every crop is moved (up to {options.Shift:P0}), scaled ({options.MinScale} to {options.MaxScale}), turned (up to {options.RollDegrees} degrees), mirrored, and lit, blurred or made noisy at random, with the photograph's real surroundings. What is served is the running average of the weights after epoch {history.BestEpoch}, which had the least validation loss.

            Before the first step it knew nothing: loss {start.LogLoss:F4} (a coin toss has ln 2, 0.6931), balanced accuracy {start.BalancedAccuracy:P1}.

            ![Loss over the epochs](training/loss.png)
            ![Accuracy over the epochs](training/accuracy.png)

            All figures: [training/history.json](training/history.json).

            **Calibration.** The logits are divided by a temperature of {history.Temperature:F3}{timid}, fitted on the validation faces and folded into the last layer: do not apply it again.
            """);
    }

    /// <summary>How the network got from random weights to its answers, from <c>training/story.json</c>; without that file nothing.</summary>
    private static string StorySection(CardFigures figures) => figures.Story is null
        ? ""
        : """
        ## How learning looks from inside

        All figures: [training/story.json](training/story.json).
        """;

    private static string Data(CardFigures figures)
    {
        int Count(string split, params ReadOnlySpan<string> labels)
        {
            var count = 0;
            foreach (var label in labels)
            {
                count += figures.Rows.Count(row => row.Split == split && row.Label == label);
            }

            return count;
        }

        var soft = figures.Cleaned.Count == 0
            ? Format($"Pictures whose labels are disputed ({Count("train", "disputed"):N0} of `train`) or of which only one labelling knows ({Count("train", "unmatched"):N0}) are left out.")
            : Format(
                $"""
                Of the {Count("train", "disputed", "unmatched"):N0} training pictures whose labels are disputed ({Count("train", "disputed"):N0}) or of which only one labelling knows ({Count("train", "unmatched"):N0}), each is learned from as far as a first model, trained on the agreed ones alone, took it for a smile: a soft label from 0 to 1. That model saw a smile in {SoftSmiles(figures, "disputed"):N0} of the disputed, where closed mouths are common, and in {SoftSmiles(figures, "unmatched"):N0} of the others. The soft labels are [training/soft-labels.csv](training/soft-labels.csv), keyed by the SHA-256 of each picture.
                """);
        return Format(
            $"""
            ## The data

            Press photographs of Labeled Faces in the Wild, 160x160 grey, labelled twice independently; the certain labels are those on which both agree. Faces are cropped to the labelled square. No person is in two splits.

            | split | smile | no smile | for |
            |---|---|---|---|
            | train | {Count("train", "smile"):N0} | {Count("train", "nonsmile"):N0} | learning |
            | val | {Count("val", "smile"):N0} | {Count("val", "nonsmile"):N0} | choosing the epoch and the temperature |
            | test | {Count("test", "smile"):N0} | {Count("test", "nonsmile"):N0} | the scores below; each finished run has read them, and every choice was made on val |

            {soft} Labels of `val` and `test` are as delivered.

            `{Lfw160.ArchiveName}` has the SHA-256 `{figures.Metadata.Training.Data[Lfw160.ArchiveName]}`.
            """);
    }

    private static string Scores(CardFigures figures)
    {
        var (test, confusion) = (figures.Test, figures.Test.Confusion);
        var spoilt = string.Join('\n', test.Corrupted.Select(condition =>
            Format($"| {condition.Name} | {condition.Accuracy:P2} | {Points(test, condition):+0.00;-0.00;0.00} | {condition.RocAuc:F4} |")));
        var uncertain = test.Uncertain.Count == 0 ? "" : Format(
            $"""


            Of the other faces of `test` nobody has a certain label, so nobody knows how many of these answers are right:

            | | faces | judged a smile | mean probability |
            |---|---|---|---|
            {string.Join('\n', test.Uncertain.Select(group => Format($"| {group.Name} | {group.Count} | {group.ShareOfSmiles:P1} | {group.MeanProbability:F2} |")))}
            """);
        return Format(
            $"""
            ## How good it is

            Faces with agreed labels, cropped to the labelled square, through ONNX Runtime and the service's own preprocessing. Read off contact sheets, 1 to 4 % of the labels are wrong, so about 97.5 % is what a perfect judge would score.

            | | faces | accuracy (95 % interval) | balanced accuracy | ROC AUC | log loss |
            |---|---|---|---|---|---|
            {Row("val", figures.Val, "")}
            {Row("**test**", test, "**")}

            On `test`, {confusion.SmilesMissed} of {confusion.SmilesFound + confusion.SmilesMissed} smiles are missed and {confusion.FalseSmiles} of {confusion.NonSmilesFound + confusion.FalseSmiles} other faces taken for smiles. The same faces, spoilt:

            | | accuracy | points | ROC AUC |
            |---|---|---|---|
            {spoilt}{uncertain}

            ![Reliability](training/reliability.png)
            ![Receiver operating characteristic](training/roc.png)
            ![Scores](training/scores.png)

            The command that prints all this, with `SMILE_DATA` naming the folder of `{Lfw160.ArchiveName}`:

            ```
            dotnet run --project src/SmileApi.Training -c Release -- evaluate models/smile.onnx
            ```

            and the one that writes this page and its plots:

            ```
            dotnet run --project src/SmileApi.Training -c Release -- card
            ```
            """);

        static string Row(string name, Evaluation evaluation, string bold) => Format(
            $"| {name} | {evaluation.Score.Count} | {bold}{evaluation.Score.Accuracy:P2}{bold} ({100 * evaluation.AccuracyInterval.Low:F2} to {100 * evaluation.AccuracyInterval.High:F2}) | {evaluation.Score.BalancedAccuracy:P2} | {evaluation.Score.RocAuc:F4} | {evaluation.Score.LogLoss:F4} |");
    }

    private static string Limits(CardFigures figures)
    {
        var test = figures.Test;
        var worst = test.Corrupted.MinBy(condition => condition.Accuracy)!;
        var disputed = test.Uncertain.FirstOrDefault(group => group.Name == "disputed") is { } group
            ? Format($" Of the {group.Count} disputed test faces, about half of which are such smiles, it takes {group.ShareOfSmiles:P0} for smiles.")
            : "";
        return Format(
            $"""
            ## What it gets wrong

            - **Closed-mouth smiles** are under-represented: the two labellings agree mostly where teeth show{(figures.Cleaned.Count > 0 ? ", and the soft labels come from a model that learned from those" : "")}. Expect it to miss some.{disputed}
            - **Press photographs**: adults, many of them public figures, mostly men, looking towards a camera, around the year 2000. Children, other ages, other parts of the world and other cameras were hardly seen; no figures by group exist, so nothing is promised for any.
            - **Crops.** It expects the tight square. A whole head, a profile or a face turned by more than {figures.History.Options.RollDegrees} degrees is outside what it learned.
            - **Another share of smiles.** Of the faces that it was calibrated on, {figures.Val.Smiles.Average(smile => smile ? 1.0 : 0):P0} smile; where smiles are much more or less common, its probabilities lean towards that share.
            - **Things that are no faces** get a number, too, and it means nothing.
            - **Spoilt faces** cost it up to {-Points(test, worst):F1} points (above: {worst.Name}).
            """);
    }

    private static string Reproduction(CardFigures figures)
    {
        var first = figures.Cleaned.Count == 0 ? "" :
            """
            smile train --run runs/first --out runs/first/smile.onnx
            smile label runs/first/smile.onnx --out models/training/soft-labels.csv

            """;
        var with = figures.Cleaned.Count == 0 ? "" : " --soft-labels models/training/soft-labels.csv";
        return Format(
            $"""
            ## Reproduce it

            With `smile` standing for `docker run --rm -v "$PWD":/work -v "$SMILE_DATA":/data:ro smile-training` (`docker build --target training -t smile-training .`):

            ```
            {first}smile train --run runs/smile{with}
            ```

            A run gives the same epochs and the same weights each time; the files differ in the time that they were written. The last run took {figures.History.Epochs.Sum(epoch => epoch.Seconds) / 60:F0} minutes.{Remarks.GetValueOrDefault(figures.Metadata.Version)}

            `smile golden runs/smile` then writes the trainer's own probabilities to [golden.json](golden.json), against which the served model is tested.
            """);
    }

    private static int SoftSmiles(CardFigures figures, string label) => (int)Math.Round(figures.Cleaned.Where(decided => decided.Label == label).Sum(decided => decided.Smiles));

    private static double Points(Evaluation whole, Condition condition) => 100 * (condition.Accuracy - whole.Score.Accuracy);

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
