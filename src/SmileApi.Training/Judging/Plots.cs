using ScottPlot;

namespace SmileApi.Training;

/// <summary>Draws how a run went and what a model is worth.</summary>
internal static class Plots
{
    private const string Font = "smile";

    /// <summary>Writes <c>loss.png</c> and <c>accuracy.png</c>; says so in one line where the system has no font to write with.</summary>
    /// <param name="run">Its epochs from 0, before the first step, on.</param>
    /// <param name="again">The command that would draw them later.</param>
    public static void Learning(RunHistory run, string folder, string again)
    {
        if (!TryAddFont(again))
        {
            return;
        }

        var history = run.Epochs;
        var trained = run.TrainByLabel ? "training faces" : "the surest of the training faces";
        double[] epochs = [.. history.Select(record => (double)record.Epoch)];
        const string EpochAxis = "epoch (0: random weights, before the first step)";
        Save(Path.Combine(folder, "loss.png"), "Loss while learning", EpochAxis, "binary cross-entropy, nats", Alignment.UpperRight, plot =>
        {
            Line(plot, [.. epochs.Skip(1)], [.. history.Skip(1).Select(record => record.Loss!.Value)], "training crops, augmented");
            Line(plot, epochs, [.. history.Select(record => record.Train.LogLoss)], $"{trained}, as served");
            Line(plot, epochs, [.. history.Select(record => record.Val.LogLoss)], "validation faces");
            Level(plot, Math.Log(2), "a coin toss");
            plot.Axes.SetLimits(0, Math.Max(1, epochs[^1]), 0, 0.8);
            plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true };
        });
        Save(Path.Combine(folder, "accuracy.png"), "Accuracy while learning", EpochAxis, "share judged right", Alignment.LowerRight, plot =>
        {
            Line(plot, epochs, [.. history.Select(record => record.Train.BalancedAccuracy)], $"{trained}, balanced");
            Line(plot, epochs, [.. history.Select(record => record.Val.BalancedAccuracy)], "validation faces, balanced");
            Line(plot, epochs, [.. history.Select(record => record.Val.Accuracy)], "validation faces");
            Level(plot, 0.5, "a coin toss");
            plot.Axes.SetLimits(0, Math.Max(1, epochs[^1]), Math.Min(0.45, history.Min(record => record.Val.Accuracy) - 0.05), 1.01);
            plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true };
        });
    }

    /// <summary>Writes <c>roc.png</c> (where both classes are there), <c>reliability.png</c> and <c>scores.png</c> of one evaluation.</summary>
    public static void Evaluation(double[] probabilities, bool[] smiles, string folder)
    {
        if (!TryAddFont("smile evaluate"))
        {
            return;
        }

        if (smiles.Contains(true) && smiles.Contains(false))
        {
            Save(Path.Combine(folder, "roc.png"), "Receiver operating characteristic", "share of other faces taken for smiles", "share of smiles found", Alignment.LowerRight, plot =>
            {
                var curve = Metrics.RocCurve(probabilities, smiles);
                Line(plot, [.. curve.Select(point => point.FalsePositives)], [.. curve.Select(point => point.TruePositives)], "the model", markers: false);
                Diagonal(plot, "a coin toss");
            });
        }

        Save(Path.Combine(folder, "reliability.png"), "Reliability", "probability of a smile, as answered", "share that did smile", Alignment.LowerRight, plot =>
        {
            var bins = Metrics.Reliability(probabilities, smiles);
            Line(plot, [.. bins.Select(bin => bin.MeanProbability)], [.. bins.Select(bin => bin.ShareOfSmiles)], "the model, faces in ten bins (their number beside)");
            foreach (var bin in bins)
            {
                var count = plot.Add.Text($"{bin.Count}", bin.MeanProbability, bin.ShareOfSmiles);
                (count.LabelFontName, count.OffsetX, count.OffsetY) = (Font, 8, 4);
            }

            Diagonal(plot, "what is answered is what is true");
        });
        Save(Path.Combine(folder, "scores.png"), "Scores", "probability of a smile, as answered", "faces", Alignment.UpperCenter, plot =>
        {
            foreach (var (smile, name, side) in new[] { (true, "labelled a smile", 0.25), (false, "labelled no smile", 0.75) })
            {
                var counts = Enumerable.Range(0, 20).Select(bin => probabilities.Where((p, i) => smiles[i] == smile && Math.Min(19, (int)(p * 20)) == bin).Count());
                var bars = plot.Add.Bars([.. Enumerable.Range(0, 20).Select(bin => (bin + side) / 20)], [.. counts.Select(count => (double)count)]);
                bars.LegendText = name;
                foreach (var bar in bars.Bars)
                {
                    (bar.Size, bar.LineWidth) = (0.025, 0);
                }
            }

            plot.Axes.SetLimitsX(0, 1);
            plot.Axes.Margins(bottom: 0);
        });
    }

    /// <summary>Writes <c>judges.png</c> and, where there is a learning curve, <c>story.png</c>.</summary>
    public static void Story(Story story, string folder)
    {
        if (!TryAddFont("smile story"))
        {
            return;
        }

        var judges = story.Judges;
        Save(Path.Combine(folder, "judges.png"), $"The same {story.Smiles + story.NonSmiles} validation faces before five judges", "", "share, or area", Alignment.UpperLeft, plot =>
        {
            var scores = new (string Name, Func<JudgeScore, double> Of)[]
            {
                ("accuracy, with its 95 % interval", judge => judge.Accuracy),
                ("balanced accuracy", judge => judge.BalancedAccuracy),
                ("ROC AUC", judge => judge.RocAuc),
            };
            foreach (var (place, (name, of)) in scores.Index())
            {
                var bars = plot.Add.Bars([.. judges.Select((_, i) => i + (place - 1) * 0.27)], [.. judges.Select(of)]);
                bars.LegendText = name;
                foreach (var (bar, judge) in bars.Bars.Zip(judges))
                {
                    (bar.Size, bar.LineWidth) = (0.25, 0);
                    var top = place == 0 ? judge.AccuracyInterval.High : bar.Value;
                    var label = plot.Add.Text(Number(of(judge), "F3"), bar.Position, top + 0.01);
                    (label.LabelFontName, label.LabelFontSize, label.LabelAlignment) = (Font, 11, Alignment.LowerCenter);
                }
            }

            foreach (var (i, judge) in judges.Index())
            {
                var interval = plot.Add.Line(i - 0.27, judge.AccuracyInterval.Low, i - 0.27, judge.AccuracyInterval.High);
                (interval.LineColor, interval.LineWidth) = (Colors.Black, 1.5f);
            }

            Level(plot, 0.5, "chance, balanced");
            plot.Axes.Bottom.SetTicks([.. judges.Select((_, i) => (double)i)], [.. judges.Select(judge => judge.Name)]);
            plot.Axes.Left.SetTicks([.. Enumerable.Range(0, 6).Select(i => i / 5.0)], [.. Enumerable.Range(0, 6).Select(i => Number(i / 5.0, "F1"))]);
            plot.Axes.SetLimits(-0.5, judges.Count - 0.5, 0, 1.25); // Above 1 there is room for the legend.
        });
        if (story.Curve is not { Points: var points } curve)
        {
            return;
        }

        Save(Path.Combine(folder, "story.png"), $"Accuracy by the pictures learned from, after {curve.Steps} steps", "training pictures of each class", "share of validation faces judged right", Alignment.MiddleRight, plot =>
        {
            // All pictures are not as many of each class: they stand at the mean of the two.
            double[] x = [.. points.Select(point => Math.Log10((point.Smiles + point.NonSmiles) / 2.0))];
            Line(plot, x, [.. points.Select(point => point.BalancedAccuracy)], "networks, balanced accuracy");
            Line(plot, x, [.. points.Select(point => point.Accuracy)], "networks, accuracy, with its 95 % interval");
            foreach (var (point, at) in points.Zip(x))
            {
                var interval = plot.Add.Line(at, point.AccuracyInterval.Low, at, point.AccuracyInterval.High);
                (interval.LineColor, interval.LineWidth) = (plot.Add.Palette.GetColor(1), 1.5f);
            }

            // Judges that are equally good share a line and its words.
            foreach (var (i, same) in judges.GroupBy(judge => Math.Round(judge.BalancedAccuracy, 2)).Index())
            {
                var height = same.First().BalancedAccuracy;
                Level(plot, height, i == 0 ? "other judges, balanced accuracy" : "");
                var label = plot.Add.Text(string.Join(", ", same.Select(judge => judge == judges[^1] ? "the served network" : judge.Name)), x.Min() - 0.08, height);
                (label.LabelFontName, label.LabelFontSize, label.LabelFontColor, label.LabelAlignment) = (Font, 11, Colors.DimGray, Alignment.LowerLeft);
            }

            plot.Axes.Bottom.SetTicks(x, [.. points.Select(point => point.Pictures == StoryRun.All ? $"all\n({point.Smiles} + {point.NonSmiles})" : point.Pictures)]);
            plot.Axes.SetLimits(x.Min() - 0.1, x.Max() + 0.12, 0.45, 1.01);
        });
    }

    /// <summary>Writes <c>faces-precision-recall.png</c>, the Haar cascade's points in it where they were measured.</summary>
    public static void Detection(PhotoScores scores, string folder)
    {
        if (!TryAddFont("smile evaluate-faces"))
        {
            return;
        }

        var title = $"{scores.Faces} faces in {scores.Photos} photographs: average precision {Number(scores.AveragePrecision, "F3")}";
        Save(Path.Combine(folder, "faces-precision-recall.png"), title, "recall: share of the labelled faces found", "precision: share of the boxes round a labelled face", Alignment.LowerLeft, plot =>
        {
            Line(plot, [.. scores.Curve.Select(Recall)], [.. scores.Curve.Select(DetectionCurve.Precision)], "the detector, at every confidence", markers: false);
            Points(plot, [scores.AtThreshold], "the detector, at its default threshold");
            if (scores.Haar.Count > 0)
            {
                Points(plot, [.. scores.Haar.Select(haar => new DetectionPoint(1, haar.Found, haar.False))], $"Haar cascade alt2, OpenCV {scores.OpenCv}, by minNeighbors");
                foreach (var haar in scores.Haar)
                {
                    var point = new DetectionPoint(1, haar.Found, haar.False);
                    var label = plot.Add.Text($"{haar.MinNeighbors}", Recall(point), DetectionCurve.Precision(point));
                    (label.LabelFontName, label.OffsetX, label.OffsetY) = (Font, 8, 4);
                }
            }

            plot.Axes.SetLimits(0.6, 1.005, 0.6, 1.01);
        });

        double Recall(DetectionPoint point) => (double)point.Found / scores.Faces;

        void Points(Plot plot, IReadOnlyList<DetectionPoint> points, string name)
        {
            var scatter = plot.Add.ScatterPoints(points.Select(Recall).ToArray(), points.Select(DetectionCurve.Precision).ToArray());
            (scatter.LegendText, scatter.MarkerSize) = (name, 9);
        }
    }

    private static void Save(string path, string title, string across, string up, Alignment legend, Action<Plot> draw)
    {
        using var plot = new Plot();
        draw(plot);
        plot.Title(title);
        plot.XLabel(across);
        plot.YLabel(up);
        plot.ShowLegend(legend);
        plot.Font.Set(Font);
        plot.Legend.FontName = Font;
        AtomicFile.Write(path, plot.GetImage(900, 560).GetImageBytes());
    }

    private static void Line(Plot plot, double[] x, double[] y, string name, bool markers = true)
    {
        var line = plot.Add.Scatter(x, y);
        (line.LegendText, line.LineWidth, line.MarkerSize) = (name, 2, markers ? 5 : 0);
    }

    private static string Number(double value, string format) => value.ToString(format, System.Globalization.CultureInfo.InvariantCulture);

    private static void Level(Plot plot, double level, string name)
    {
        var line = plot.Add.HorizontalLine(level, color: Colors.Gray, pattern: LinePattern.Dashed);
        line.LegendText = name;
    }

    private static void Diagonal(Plot plot, string name)
    {
        var line = plot.Add.Line(0, 0, 1, 1);
        (line.LegendText, line.LineColor, line.LinePattern) = (name, Colors.Gray, LinePattern.Dashed);
        plot.Axes.SetLimits(-0.02, 1.07, -0.06, 1.05);
    }

    /// <summary>SkiaSharp without the system's fontconfig finds no font by itself; titles are bold and need the bold file too.</summary>
    private static bool TryAddFont(string again)
    {
        if (SystemFont.Find() is not { } found)
        {
            Console.Error.WriteLine($"No plots: this system has no DejaVu Sans or Arial to label them with (Debian and Ubuntu: apt install fonts-dejavu-core; then again {again}).");
            return false;
        }

        Fonts.AddFontFile(Font, found.Regular, bold: false, italic: false);
        Fonts.AddFontFile(Font, found.Bold, bold: true, italic: false);
        return true;
    }
}
