namespace SmileApi.Training.Tests;

/// <summary><c>smile clean</c> and <c>smile teach</c>, by models that know nothing and say 0.5 of every face.</summary>
public sealed class CleanAndTeachTests : CommandLine
{
    private const string NoneByEye = "sha256,set,smile\n";

    public CleanAndTeachTests()
    {
        DrawnFaces.WriteArchive(Folder["data"], disputed: 30);
        File.WriteAllText(Folder["by-eye.csv"], NoneByEye);
        WriteModel("1.onnx", Lfw160.Open(Folder["data"], without: new Fold(1, 2)).Hashes());
        WriteModel("2.onnx", Lfw160.Open(Folder["data"], without: new Fold(2, 2)).Hashes());
    }

    [Fact]
    public void Disputed_pictures_are_labelled_by_the_models_and_agreed_ones_weighed_against_their_labels()
    {
        var (code, output, errors) = Clean("1.onnx", "2.onnx");
        Assert.Equal((0, ""), (code, errors));
        Assert.Contains("    30 disputed labelled, together 15 smiles", output, StringComparison.Ordinal);

        var labels = TrainingTargets.Read(Folder["labels.csv"]);
        Assert.All(labels.Targets.Values, target => Assert.Equal(0.5, target.Probability));
        Assert.Equal(30, labels.Targets.Values.Count(target => target is { Label: "disputed", Target: 0.5, Decision: "labelled" }));
        // A model that knows nothing moves certain labels only as far as they are known to be wrong: 3.5 % of smiles, 2 % of others.
        Assert.DoesNotContain(labels.Targets.Values, target => target.Label != "disputed");

        var archive = Lfw160.Open(Folder["data"], labels);
        Assert.Equal(80 + 30, archive.Faces("train", 1).Count);
        Assert.Equal(30, archive.Faces("train", 1).Count(face => face.Target == 0.5f));
        Assert.Equal(40, archive.Faces("val", 1).Count);
        Assert.Equal(80, Lfw160.Open(Folder["data"]).Faces("train", 1).Count);
        Assert.Equal(labels.Sha256, archive.Hashes()["labels.csv"]);
    }

    [Fact]
    public void Only_a_whole_set_of_folds_cleans()
    {
        Fails("These are the models of the folds 1/2; those of all 2 are needed, each once.", "clean", "1.onnx", "--data", "data", "--by-eye", "by-eye.csv");
        Fails("those of all 2 are needed, each once.", "clean", "1.onnx", "1.onnx", "--data", "data", "--by-eye", "by-eye.csv");
        WriteModel("all.onnx");
        Fails("all.onnx was trained on all people; train it with --without-fold.", "clean", "1.onnx", "all.onnx", "--data", "data", "--by-eye", "by-eye.csv");
        DrawnFaces.WriteArchive(Folder["others"]);
        Fails("1.onnx learned from another lfw160.tar, so it may have seen these labels.", "clean", "1.onnx", "2.onnx", "--data", "others", "--by-eye", "by-eye.csv");
    }

    [Fact]
    public void A_fold_leaves_out_some_people_and_the_folds_together_all()
    {
        var people = Enumerable.Range(0, 300).Select(i => $"person {i}").ToArray();
        var folds = Enumerable.Range(1, 4).Select(k => new Fold(k, 4)).ToArray();
        Assert.All(people, person => Assert.Single(folds, fold => fold.LeavesOut(person)));
        Assert.All(folds, fold => Assert.InRange(people.Count(fold.LeavesOut), 50, 100));

        var whole = Lfw160.Open(Folder["data"]).Faces("train", 1).Count;
        int[] left = [.. folds.Select(fold => whole - Lfw160.Open(Folder["data"], without: fold).Faces("train", 1).Count)];
        Assert.Equal(whole, left.Sum());
        Assert.Equal(40, Lfw160.Open(Folder["data"], without: folds[0]).Faces("val", 1).Count);
    }

    [Theory]
    [InlineData("0/4")]
    [InlineData("5/4")]
    [InlineData("1/1")]
    [InlineData("first")]
    public void A_fold_that_is_none_is_refused(string text) =>
        Assert.Contains("A fold is written as 1/4", Assert.Throws<CommandException>(() => Fold.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Teachers_mix_with_labels_and_label_the_unlabelled_but_not_those_judged_by_eye()
    {
        var small = DrawnFaces.WriteFaces36(Folder["data"], 6);
        File.WriteAllText(Folder["by-eye.csv"], $"{NoneByEye}{small[2]},faces36,1\n");
        Assert.Equal(0, Clean("1.onnx", "2.onnx").Code);

        var (code, output, errors) = Smile("teach", "1.onnx", "2.onnx", "--data", "data", "--labels", "labels.csv", "--by-eye", "by-eye.csv", "--out", "targets.csv");

        Assert.Equal((0, ""), (code, errors));
        Assert.Contains("5 pictures unlabelled", output, StringComparison.Ordinal);
        var targets = TrainingTargets.Read(Folder["targets.csv"]);
        Assert.Equal(80 + 30 + 5, targets.Targets.Count);
        Assert.DoesNotContain(small[2], targets.Targets.Keys);
        // 0.7 of the teachers' 0.5, and 0.3 of the label.
        Assert.All(targets.Targets.Values, target => Assert.Equal(target.Label switch { "smile" => 0.65, "nonsmile" => 0.35, _ => 0.5 }, target.Target, 4));
        var archive = Lfw160.Open(Folder["data"], targets);
        Assert.Equal(targets.Targets.Count, archive.Faces("train", 1).Count);
        Assert.Equal(5, archive.Faces("train", 1).Count(face => face.Image.Width == 36));
        Assert.Contains(Faces36.ArchiveName, archive.Hashes().Keys);
    }

    [Fact]
    public void Targets_of_other_pictures_are_refused()
    {
        TrainingTargets.Write(Folder["labels.csv"], [new TrainingTarget(new string('0', 64), "smile", 0.5, 0.5, "softened")]);
        var refused = Assert.Throws<CommandException>(() => Lfw160.Open(Folder["data"], TrainingTargets.Read(Folder["labels.csv"])).Faces("train", 1));
        Assert.Contains("labels.csv has targets of 1 pictures that are not among the training pictures", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sha256,label,target\n", "does not begin with the line sha256,label,probability,target,decision")]
    [InlineData("sha256,label,probability,target,decision\nabc,disputed,0.5,0.5,labelled\n", "Line 2 of labels.csv is not a hash")]
    [InlineData("sha256,label,probability,target,decision\n0000000000000000000000000000000000000000000000000000000000000000,disputed,0.5,1.5,labelled\n", "Line 2 of labels.csv is not a hash")]
    public void Targets_that_are_none_are_refused(string csv, string message)
    {
        File.WriteAllText(Folder["labels.csv"], csv);
        Assert.Contains(message, Assert.Throws<CommandException>(() => TrainingTargets.Read(Folder["labels.csv"])).Message.Replace(Folder.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("set,smile\n", "has no column 'sha256'")]
    [InlineData("sha256,set,smile\n0000000000000000000000000000000000000000000000000000000000000000,train,1\n", "Line 2 of by-eye.csv is not a hash, a set (disputed, unmatched, faces36)")]
    [InlineData("sha256,set,smile\n0000000000000000000000000000000000000000000000000000000000000000,faces36,2\n", "and a grade (0, 0.3, 0.5, 0.7, 1)")]
    public void Verdicts_by_eye_that_are_none_are_refused(string csv, string message)
    {
        File.WriteAllText(Folder["by-eye.csv"], csv);
        Fails(message, "clean", "1.onnx", "2.onnx", "--data", "data", "--by-eye", "by-eye.csv");
    }

    [Fact]
    public void The_committed_verdicts_are_of_val_and_of_unlabelled_faces_only()
    {
        var byEye = ByEye.Read(Needs.Committed("models", "training", "by-eye.csv"));
        var folder = Needs.RealFaces();
        var rows = Lfw160.Open(folder).Files(row => !row.IsAgreed).Where(file => byEye.ContainsKey(TrainingTargets.KeyOf(file.Bytes))).Select(file => (file.Row, byEye[TrainingTargets.KeyOf(file.Bytes)].Set)).ToArray();
        Assert.All(rows, judged => Assert.Equal(("val", judged.Set), (judged.Row.Split, judged.Row.Label)));
        Assert.Equal(byEye.Values.Count(verdict => verdict.Set != ByEye.Faces36Set), rows.Length);
    }

    [Fact]
    public void A_recipe_makes_a_model_and_done_again_does_nothing_twice()
    {
        Needs.LibTorch();
        DrawnFaces.WriteArchive(Folder["data"], train: 160, disputed: 10);
        DrawnFaces.WriteFaces36(Folder["data"], 4);

        var (code, output, errors) = Recipe();

        Assert.True(code == 0, errors);
        Assert.Contains("student    epoch   1", output, StringComparison.Ordinal);
        using (var model = PredictCommand.Load(Folder["models/smile.onnx"]))
        {
            Assert.Equal(170 + 4, model.Metadata.Training.Pictures);
            Assert.Equal(["val", "test"], model.Metadata.Scores.Keys);
            Assert.Equal(Architecture.Served.MultiplyAdds, model.Metadata.Cost.MultiplyAdds);
        }

        var history = File.ReadAllText(Folder["models/training/history.json"]);
        (code, output, errors) = Recipe();
        Assert.True(code == 0, errors);
        Assert.DoesNotContain("epoch   1", output, StringComparison.Ordinal);
        Assert.Equal(history, File.ReadAllText(Folder["models/training/history.json"]));
        (code, _, errors) = Smile("recipe", "--data", "data", "--by-eye", "by-eye.csv", "--epochs", "2");
        Assert.Equal(2, code);
        Assert.Contains("fold-1 holds another run, with other options (1 epochs), other pictures or other labels", errors, StringComparison.Ordinal);
        DrawnFaces.WriteArchive(Folder["data"], train: 162, disputed: 10);
        (code, _, errors) = Recipe();
        Assert.Equal(2, code);
        Assert.Contains("fold-1 holds another run", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_recipe_needs_is_asked_for_before_hours_of_work()
    {
        Needs.LibTorch();
        Fails("no.csv cannot be read", "recipe", "--data", "data", "--by-eye", "no.csv");
        Fails("--jobs must be at least 1.", "recipe", "--data", "data", "--by-eye", "by-eye.csv", "--jobs", "0");
        File.WriteAllText(Folder["file"], "");
        Fails("cannot be written", "recipe", "--data", "data", "--by-eye", "by-eye.csv", "--out", "file/smile.onnx");
        Assert.False(Directory.Exists(Folder["runs"]));
    }

    private (int Code, string Output, string Errors) Recipe() =>
        Smile("recipe", "--data", "data", "--by-eye", "by-eye.csv", "--epochs", "1", "--jobs", "2");

    private (int Code, string Output, string Errors) Clean(params string[] models) =>
        Smile(["clean", .. models, "--data", "data", "--by-eye", "by-eye.csv", "--out", "labels.csv"]);
}
