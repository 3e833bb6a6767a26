using System.Globalization;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>The card of a face detector, as Markdown: words from here, every figure from its evaluation or its metadata.</summary>
internal static class FaceCard
{
    public const string FileName = "FACES_CARD.md";

    /// <param name="evaluation">Tests included.</param>
    /// <param name="find">Of the first stage.</param>
    /// <param name="check">Of the second.</param>
    /// <returns>Lines that end in a line feed.</returns>
    public static string Text(FaceEvaluation evaluation, FaceModelMetadata find, FaceModelMetadata check)
    {
        var sections = new[]
        {
            Head(check), Meaning(evaluation), Networks(find, check), Data(find, check), Photographs(evaluation.Photos!), Portraits(evaluation), Composites(evaluation),
            Limits, Reproduction,
        };
        return string.Join("\n\n", sections).ReplaceLineEndings("\n") + "\n";
    }

    private const string Limits =
        """
        ## What it gets wrong

        - **What looks like a face**: letters and crests, textures of a dozen pixels, leaves, hands, statues, masks, dolls, animals. It says "face" to any of them now and then, and what the smile model says of them means nothing.
        - **Faces that it hardly learned**: profiles, heads tilted by more than about 20 degrees or upside down, faces mostly covered, very dark or back-lit ones, coarse prints.
        - **Small faces.** Nothing below 14 pixels of box is searched for; by default nothing much below 20 pixels or 3 % of the picture's longer side.
        - **People unlike those in press photographs**: adults, many of them public figures, mostly men, looking towards a camera, around the year 2000, and small faces from the web. No figures by group exist, so nothing is promised for any.
        - It tells where a face is, and not whose.
        """;

    private const string Reproduction =
        """
        ## Reproduce it

        With `SMILE_DATA` naming the folder of the archives, and OpenCV for Python with its data (`apt install python3-opencv opencv-data`) for the comparison,

        ```
        dotnet run --project src/SmileApi.Training -c Release -- evaluate-faces
        ```

        prints all this, and with `--card` writes this page, its figures ([training/faces.json](training/faces.json)) and its plot. `smile train-faces` trains the networks.
        """;

    private static string Head(FaceModelMetadata check) => Format(
        $"""
        <!-- Written by `smile evaluate-faces --card`; its words are in src/SmileApi.Training/Judging/Faces/FaceCard.cs. -->
        # {check.Name} {check.Version}

        A photograph in, squares round the faces out: two small convolutional networks that began as random numbers and learned from composed pictures.

        > **Research use only.** The pictures of faces that it learned from allow no more ([LICENSE](LICENSE)). {check.Licence}
        """);

    private static string Meaning(FaceEvaluation evaluation) => Format(
        $"""
        ## What it says

        Where faces are, each with a `box` that a person would draw round the head, a `confidence` in 0..1 that it is a face at all, and by how much the head is tilted. From {evaluation.Check.Threshold} on it counts unless a caller says otherwise. The tight square that the [smile model](MODEL_CARD.md) sees follows from the box, and heads tilted by {FaceRules.StraightenFrom * 180 / MathF.PI:F0} degrees or more are turned upright for it.

        It is meant for finding the faces in ordinary photographs so that their smiles can be judged. It recognises nobody, and is **not** meant for surveillance or for counting or tracking people.
        """);

    private static string Networks(FaceModelMetadata find, FaceModelMetadata check) => Format(
        $"""
        ## The networks

        | | first stage, `faces.onnx` | second stage, `faces-check.onnx` |
        |---|---|---|
        | sees | the whole picture, reduced to sizes a factor of two apart | each candidate, {check.Side}x{check.Side}, {check.Margin} times its box |
        | says | for each {find.Stride}x{find.Stride} pixels whether a face's box of {find.MinBox} to {find.MaxBox} pixels has its centre there, and where and how large it is | whether it is a face, its box more exactly, its roll |
        | weight layers | {find.Cost.Layers} | {check.Cost.Layers} |
        | numbers | {find.Cost.Parameters:N0} | {check.Cost.Parameters:N0} |
        | multiply-adds | {find.Cost.MultiplyAdds / 1e6:F0} million for a picture of 320x320 | {check.Cost.MultiplyAdds / 1e6:F1} million a candidate |
        | looks | once | twice at each candidate, the second time mirrored; means of both count |
        | passes on from | {find.Threshold} | {check.Threshold} |

        Together {find.Cost.Parameters + check.Cost.Parameters:N0} numbers. Boxes of one face are thinned out between the stages and after them (non-maximum suppression).
        """);

    private static string Data(FaceModelMetadata find, FaceModelMetadata check)
    {
        var files = find.Training.Data.Concat(check.Training.Data).DistinctBy(file => (file.Key, file.Value)).ToArray();
        var hashes = files.Length == 0 ? "" : Format(
            $"""


            By SHA-256:

            {string.Join('\n', files.Select(file => $"- `{file.Key}` `{file.Value}`"))}
            """);
        return Format(
            $"""
            ## What it learned from

            Nobody drew boxes for it. Pictures were composed while it learned: faces of the people of `train` and unlabelled faces from the web, blended by soft masks of many shapes into photographs without faces, at all sizes, tilted, lit, hidden in part and cut by the border, among things blended in alike that are no faces: pieces of scenes, faces upside down or shuffled, lone eyes and mouths, symmetric noise, wheels and dials, letters and shapes; and small pictures that one face fills. Whole pictures were then blurred, made noisy, stored as JPEG or printed in dots. The second stage learned from what the first one found in such pictures, rightly and wrongly.{hashes}

            A fifth of the scenes was held out, by the SHA-256 of their names. The default confidence was set by composed pictures of the people of `val` in half of those; how much the first stage's word counts, from where on it names candidates and at which size the search begins were chosen with both halves in sight. The people of `test` and the photographs below were for the figures only. The photographs were read seven times: three times by rough detectors, one of whose poor scores led to pages, stripes and clothes being drawn into the composed pictures; twice by version 1.0.0, before and after its second stage learned for longer; and twice by this one. So were the people of `test`, for portraits and composed pictures; and this version's default confidence was first set for 15 false faces in a thousand held-out pictures, and loosened to 30 when 6 of the 1,109 test portraits were missed and hardly a box in the composed test pictures was false.
            """);
    }

    private static string Photographs(PhotoScores photos)
    {
        var haar = photos.TimesFaster is not { } times
            ? "The comparison with OpenCV's Haar cascade was left out."
            : Format(
                $"""
                Beside it, in the same run, OpenCV {photos.OpenCv}'s Haar cascade `alt2` (scale factor 1.1, at least 16 pixels), its squares judged alike:

                | minNeighbors | false boxes | the cascade finds | the detector finds with no more false | cascade, ms | detector, ms |
                |---|---|---|---|---|---|
                {string.Join('\n', photos.Haar.Select(haar => Format($"| {haar.MinNeighbors} | {haar.False} | {haar.Found} | {(haar.OursFound > haar.Found ? "**" : "")}{haar.OursFound}{(haar.OursFound > haar.Found ? "**" : "")} | {haar.Milliseconds:F0} | {photos.Milliseconds:F1} |")))}

                Times are CPU milliseconds a photograph on one thread, from grey pixels to boxes, medians of rounds by turns: the cascade takes {times:F1} times as long, at whichever number it is fastest.
                """);
        return Format(
            $"""
            ## In photographs

            {photos.Photos} grey photographs with {photos.Faces} boxes drawn by hand round whole heads (half of the CMU+MIT frontal test set), never learned from. A box is right if its intersection over union with a labelled one is at least {DetectionMatch.LeastOverlap}, for they are loose, and no more confident box has that one. The smallest box searched for is the service's default.

            | | false boxes in all | faces found |
            |---|---|---|
            | from confidence {photos.AtThreshold.Confidence:0.##} on, the default | {photos.AtThreshold.False} | {Found(photos.AtThreshold.Found)} |
            | with at most 8 false | 8 | {Found(photos.FoundWith8False)} |
            | with at most 20 false | 20 | {Found(photos.FoundWith20False)} |

            Average precision {photos.AveragePrecision:F4}, over confidences from {PhotoScores.LeastConfidence} on.

            ![Precision and recall](training/faces-precision-recall.png)

            {haar}
            """);

        string Found(int faces) => Format($"{faces} ({100.0 * faces / photos.Faces:F1} %)");
    }

    private static string Portraits(FaceEvaluation evaluation)
    {
        var (val, test) = (evaluation.Val, evaluation.Test!);
        var offsets = evaluation.Crops is not { } fit ? "" : Format(
            $"""


            From the labelled to the served crops of `val`: {fit.Dx.Mean:+0.000;-0.000;0.000} of a side to the right (standard deviation {fit.Dx.Deviation:F3}), {fit.Dy.Mean:+0.000;-0.000;0.000} down ({fit.Dy.Deviation:F3}), {100 * (Math.Exp(fit.LogScale.Mean) - 1):+0.0;-0.0;0.0} % in side ({100 * fit.LogScale.Deviation:F1} %).
            """);
        var turned = evaluation.Turned.Count == 0 ? "" : Format(
            $"""


            The agreed `val` faces, their pictures turned:

            | by | found | smiles judged right on the labelled crop | turned upright as the detector says | as served |
            |---|---|---|---|---|
            {string.Join('\n', evaluation.Turned.Select(turn => Format($"| {turn.Degrees} degrees | {100.0 * turn.Found / turn.Count:F1} % | {turn.Upright.Accuracy:P2} | {turn.Straightened.Accuracy:P2} | {turn.Served?.Accuracy:P2} |")))}
            """);
        return Format(
            $"""
            ## In portraits, with the smile model

            Pictures of `lfw160.tar`, 160x160, searched whole. The labelled face is found if a crop overlaps the labelled square with an intersection over union of at least {Portrait.LeastOverlap}; a good crop overlaps it with at least {PortraitScores.GoodOverlap}, where a square is labelled at all. Smiles are those of agreed labels whose face is found, judged by smile-cnn20 {evaluation.Smile}.

            | | pictures | face found | good crop | smiles judged right on labelled squares | on crops as served | points |
            |---|---|---|---|---|---|---|
            {Row("val", val)}
            {Row("**test**", test)}{offsets}{turned}
            """);

        static string Row(string name, PortraitScores scores) => Format(
            $"| {name} | {scores.Pictures:N0} | {scores.FoundShare:P2} | {scores.GoodCropShare:P2} of {scores.WithSquare:N0} | {scores.OnLabelled?.Accuracy:P2} | {scores.OnFound?.Accuracy:P2} | {scores.Points:+0.00;-0.00;0.00} |");
    }

    private static string Composites(FaceEvaluation evaluation) => Format(
        $"""
        ## In composed pictures and empty scenes

        Composed of people of `test` and scenes held out, boxes from 24 to 200 pixels; once of whole faces, held upright as people mostly do and a quarter as much spoilt as for learning, and once as hard as for learning, turned, cut and among distractors. Faces that noise, darkness or the border leave too little of do not count.

        | faces a picture | pictures | faces | found | of the boxes, false |
        |---|---|---|---|---|
        {string.Join('\n', evaluation.Composites.Select(kind => Format($"| {kind.Tried}{(kind.Hard ? ", as hard as for learning" : "")} | {kind.Pictures} | {kind.Faces} | {kind.FoundShare:P2} | {kind.FalseShare:P2} |")))}

        In the {evaluation.Scenes.Scenes} scenes held out, which show no face, it finds {evaluation.Scenes.False}: {evaluation.Scenes.FalsePerScene:F3} a picture.
        """);

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
