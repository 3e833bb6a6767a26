using System.Globalization;

namespace SmileApi.Training;

/// <summary>The card of a model that learned from <c>lfw160.tar</c>, as Markdown: words from here, every figure from <see cref="CardFigures"/>.</summary>
internal static class ModelCard
{
    /// <summary>What is true of one version only and stands in no file.</summary>
    private static readonly Dictionary<string, string> Remarks = new()
    {
        ["1.2.0"] =
            " For this version the test faces were read twice: for the epoch with the least raw validation loss (31: accuracy 97.70 %, ROC AUC 0.9955, calibration error 0.021), which was to be served at first, and for the last, which is.",
    };

    private static readonly Dictionary<string, string> EyeSets = new()
    {
        ["disputed"] = "`val`, disputed, happiness",
        ["unmatched"] = "`val`, unmatched happiness",
        [ByEye.Faces36Set] = "ordinary people from the web, about 22 pixels a face",
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

        `probability` in 0..1 that the face shows a **smile**: the corners of the mouth raised, teeth showing or not. That is an expression, not a feeling; people smile without being happy and are happy without smiling. From {figures.Metadata.Threshold} on the answer is "smile". The probability is calibrated on the validation faces (below); on the test faces its expected calibration error is {figures.Test.CalibrationError:F3}.

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
            | second output | `activation`, float32 [N, 1, h, w]: what each place of the face adds to the logit (class activation map); its mean plus the linear layer's bias is the calibrated logit |
            | layers | {cost.Layers} with weights: {cost.Layers - 1} convolutions (a 5x5 stem, nine residual blocks) and 1 linear; ReLU; shortcuts have no weights |
            | numbers | {cost.Parameters:N0}; batch normalisation is folded into the convolutions |
            | cost | {cost.MultiplyAdds / 1e6:F1} million multiply-adds a face |
            | file | `smile.onnx`, {figures.FileSize / 1e6:F1} MB, opset 17; its metadata says all that a server must know |
            """);
    }

    private static string Learning(CardFigures figures)
    {
        var (history, options, start) = (figures.History, figures.History.Options, figures.History.Epochs[0].Val);
        return Format(
            $"""
            ## How it learned

            Binary cross-entropy, stochastic gradient descent with Nesterov momentum {options.Momentum} (rate {options.LearningRate}, warm-up over {options.WarmUp:P0} of the steps, then a cosine to 0), batches of {options.BatchSize}, weight decay {options.WeightDecay:0.#e-0}, dropout {options.Dropout}, {options.Epochs} epochs, seed {options.Seed}. Every crop is moved (up to {options.Shift:P0}), scaled ({options.MinScale} to {options.MaxScale}), turned (up to {options.RollDegrees} degrees), stretched, tilted in perspective, mirrored and lit at random, with the photograph's real surroundings; some have a part hidden ({options.OcclusionShare:P0}), are blurred ({options.BlurShare:P0}), noisy ({options.NoiseShare:P0}), brought down to as little as {options.MinSide} pixels and blown up again ({options.SmallShare:P0}) or stored as JPEG ({options.JpegShare:P0}). What is served is the running average of the weights after epoch {history.BestEpoch}{(options.ChooseEpoch ? ", which had the least validation loss" : history.BestEpoch == options.Epochs ? ", the last" : "")}.

            Before the first step it knew nothing: loss {start.LogLoss:F4} (a coin toss has ln 2, 0.6931), balanced accuracy {start.BalancedAccuracy:P1}.

            ![Loss over the epochs](training/loss.png)
            ![Accuracy over the epochs](training/accuracy.png)

            All figures: [training/history.json](training/history.json).

            **Calibration.** The logits are divided by a temperature of {history.Temperature:F3}, and {history.Bias:F3} is added. Both were fitted on the validation faces, with smiles and others weighing alike, and are folded into the last layer: do not apply them again. A quarter of the press photographs smile, and nobody knows how many of a stranger's do: probabilities that are right where half of them smile, with the threshold {figures.Metadata.Threshold} that goes with them, are least wrong anywhere. Training itself weighs every face alike.
            """);
    }

    /// <summary>Other judges of the same faces, and the learning curve, from <c>training/story.json</c>; without that file nothing.</summary>
    private static string StorySection(CardFigures figures)
    {
        if (figures.Story is not { } story)
        {
            return "";
        }

        var judges = string.Join('\n', story.Judges.Select(judge => Format(
            $"| {judge.Name} | {judge.Accuracy:P2} ({100 * judge.AccuracyInterval.Low:F2} to {100 * judge.AccuracyInterval.High:F2}) | {judge.BalancedAccuracy:P2} | {judge.RocAuc:F4} | {(judge.LogLoss is { } loss ? Format($"{loss:F4}") : "")} | {judge.How} |")));
        var curve = story.Curve is not { } learned ? "" : Format(
            $"""


            How much the number of pictures matters: networks of the same shape, each trained from seed {learned.Seed} for about {learned.Steps:N0} steps of {learned.BatchSize} faces on some of the agreed pictures, and judged after the last step on the same faces.

            | pictures of each class | accuracy | balanced accuracy | ROC AUC | right of its own pictures |
            |---|---|---|---|---|
            {string.Join('\n', learned.Points.Select(point => Format($"| {(point.Pictures == StoryRun.All ? Format($"all ({point.Smiles:N0} and {point.NonSmiles:N0})") : point.Pictures)} | {point.Accuracy:P2} ({100 * point.AccuracyInterval.Low:F2} to {100 * point.AccuracyInterval.High:F2}) | {point.BalancedAccuracy:P2} | {point.RocAuc:F4} | {point.TrainAccuracy:P1} |")))}

            One seed each: neighbours whose intervals overlap cannot be told apart.

            ![Accuracy by the number of pictures](training/story.png)
            """);
        return Format(
            $"""
            ## What learning is worth

            The same {story.Smiles + story.NonSmiles} validation faces, {story.Smiles} of them smiling, before five judges:

            | judge | accuracy (95 % interval) | balanced accuracy | ROC AUC | log loss | how |
            |---|---|---|---|---|---|
            {judges}

            ![Five judges](training/judges.png){curve}

            All figures: [training/story.json](training/story.json), by `smile story`.
            """);
    }

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

        var cleaned = figures.Cleaned.Count == 0
            ? Format($"Pictures whose labels are disputed ({Count("train", "disputed"):N0} of `train`) or of which only one labelling knows ({Count("train", "unmatched"):N0}) are left out.")
            : Format(
                $"""
                **Labels of `train` were cleaned** by rule. Four models, each trained without a quarter of the people, judged the people that they had not seen. An agreed label and that verdict were weighed by Bayes' rule (3.5 % of the labels `smile` and 2 % of the labels `nonsmile` are wrong, read off contact sheets); where the outcome is further than 0.05 from the label, it is what was learned. Pictures whose labels are disputed, closed mouths most of them, or of which only one labelling knows, are learned as far as the four models together took them for smiles, with their logits moved so that as many are smiles as the makers saw among such faces of `val` ([training/by-eye.csv](training/by-eye.csv)). Every decision is in [training/labels.csv](training/labels.csv), keyed by the SHA-256 of the picture's file:

                | label | decision | pictures | learned as smiles |
                |---|---|---|---|
                {string.Join('\n', figures.Cleaned.Select(decided => Format($"| {decided.Label} | {decided.Decision} | {decided.Count:N0} | {decided.Smiles:N0} |")))}
                """);
        var teachers = figures.Metadata.Training.Data.ContainsKey(Faces36.ArchiveName)
            ? Format(
                $"""


                **Teachers.** Four more models learned from the clean labels. What the mean of their logits says counts 0.7 and the clean label 0.3 in what the served network learned ({figures.Metadata.Training.Pictures:N0} pictures). Among those are faces of ordinary people from the web, 36x36 and without any label, which it learned as the teachers saw them.
                """)
            : "";
        return Format(
            $"""
            ## The data

            Press photographs of Labeled Faces in the Wild, 160x160 grey, labelled twice independently; the certain labels are those on which both agree. Faces are cropped to the labelled square. No person is in two splits.

            | split | smile | no smile | for |
            |---|---|---|---|
            | train | {Count("train", "smile"):N0} | {Count("train", "nonsmile"):N0} | learning |
            | val | {Count("val", "smile"):N0} | {Count("val", "nonsmile"):N0} | choosing between ways to train, and the calibration |
            | test | {Count("test", "smile"):N0} | {Count("test", "nonsmile"):N0} | the scores below |

            Labels of `val` and `test` are as delivered.{Remarks.GetValueOrDefault(figures.Metadata.Version)} {cleaned}{teachers}

            What was learned from, by SHA-256:

            {string.Join('\n', figures.Metadata.Training.Data.Select(file => $"- `{file.Key}` `{file.Value}`"))}
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
        var byEye = figures.ByEye.Count == 0 ? "" : Format(
            $"""


            The makers looked at {figures.ByEye.Sum(set => set.Looked)} faces that nobody had labelled for certain, none of them learned from, and judged each by eye. Of those that they had no doubt about:

            | | looked at | smiles, by eye | without doubt | accuracy | ROC AUC |
            |---|---|---|---|---|---|
            {string.Join('\n', figures.ByEye.Select(set => Format($"| {EyeSets[set.Set]} | {set.Looked} | {set.Share:P0} | {set.Certain} | {set.Accuracy:P1} | {set.RocAuc:F3} |")))}
            """);
        var int8 = figures.Int8 is null ? "" : $"\n{Row("test, in 8 bits (`smile-int8.onnx`, by `smile quantize`)", figures.Int8, "")}";
        var shares = string.Join('\n', test.ByShare.Select(share => Format($"| {share.ShareOfSmiles:P0} | {share.Accuracy:P2} | {share.CalibrationError:F3} | {share.LogLoss:F4} |")));
        return Format(
            $"""
            ## How good it is

            Faces with agreed labels, cropped to the labelled square, through ONNX Runtime and the service's own preprocessing. Read off contact sheets, 1 to 4 % of the labels are wrong, so about 97.5 % is what a perfect judge would score.

            | | faces | accuracy (95 % interval) | balanced accuracy | ROC AUC | log loss |
            |---|---|---|---|---|---|
            {Row("val", figures.Val, "")}
            {Row("**test**", test, "**")}{int8}

            On `test`, {confusion.SmilesMissed} of {confusion.SmilesFound + confusion.SmilesMissed} smiles are missed and {confusion.FalseSmiles} of {confusion.NonSmilesFound + confusion.FalseSmiles} other faces taken for smiles. The same faces, spoilt:

            | | accuracy | points | ROC AUC |
            |---|---|---|---|
            {spoilt}

            {test.Smiles.Average(smile => smile ? 1.0 : 0):P0} of them smile. Weighed as if another share did:

            | share of smiles | accuracy | calibration error | log loss |
            |---|---|---|---|
            {shares}{uncertain}{byEye}

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
            ? Format($" Of the {group.Count} disputed test faces it takes {group.ShareOfSmiles:P0} for smiles.")
            : "";
        return Format(
            $"""
            ## What it gets wrong

            - **Closed-mouth smiles.** The two labellings agree mostly where teeth show, so slight smiles with a closed mouth are where it errs most, in both directions.{disputed}
            - **Bared teeth without a smile.** Of the {figures.OtherEmotions.Count} test faces labelled with anger, surprise, sadness or another emotion but no smile, it takes {figures.OtherEmotions.TakenForSmiles} for smiles: shouts and grimaces.
            - **Press photographs**: adults, many of them public figures, mostly men, looking towards a camera, around the year 2000. Children, other ages, other parts of the world and other cameras were hardly seen; no figures by group exist, so nothing is promised for any.
            - **Crops.** It expects the tight square. A whole head, a profile or a face turned by more than {figures.History.Options.RollDegrees} degrees is outside what it learned.
            - **Another share of smiles.** Its probabilities are right where about half of the faces smile (above); where hardly any do, it takes too many for smiles, and a higher threshold serves better.
            - **Things that are no faces** get a number, too, and it means nothing. In whole photographs the [face detector](FACES_CARD.md) decides what is one.
            - **Spoilt faces** cost it up to {-Points(test, worst):F1} points (above: {worst.Name}).
            """);
    }

    private static string Reproduction(CardFigures figures) => Format(
        $"""
        ## Reproduce it

        With `smile` standing for `docker run --rm -v "$PWD":/work -v "$SMILE_DATA":/data:ro smile-training` (`docker build --target training -t smile-training .`):

        ```
        smile recipe
        ```

        does everything above, from the delivered pictures to `models/smile.onnx`: four models to clean the labels, four teachers, the network; `--no-teachers` leaves the teachers out. The training of the network itself, the last of them, took {figures.History.Epochs.Sum(epoch => epoch.Seconds) / 60:F0} minutes on one shared core. A run gives the same epochs and the same weights each time; the files differ in the time that they were written. Stopped or killed, the same command goes on where it was.

        `smile golden runs/recipe/student` then writes the trainer's own probabilities to [golden.json](golden.json), against which the served model is tested, and `smile story` the learning curve.
        """);

    private static double Points(Evaluation whole, Condition condition) => 100 * (condition.Accuracy - whole.Score.Accuracy);

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
