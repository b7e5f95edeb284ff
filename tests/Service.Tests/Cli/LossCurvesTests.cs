using System.Xml.Linq;
using MetaOpt.Cli;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

public sealed class LossCurvesTests
{
    static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    static LossCurve Curve(string name, bool learned, Func<int, double> loss)
    {
        CurvePoint[] Line(double factor) => [.. Enumerable.Range(1, 100).Select(k => new CurvePoint(k, factor * loss(k)))];
        return new LossCurve(name, learned, Line(1), Line(0.8), Line(0.4), Line(2));
    }

    static readonly LossCurve[] Three =
    [
        Curve("lstm", true, k => 10 * Math.Exp(-0.05 * k)),
        Curve("adam", false, k => 10 * Math.Exp(-0.03 * k)),
        Curve("a<b>&\"c\"", false, k => 10.0 / k),
    ];

    [Fact]
    public void The_picture_is_well_formed_and_has_one_mean_line_a_contestant()
    {
        var root = XDocument.Parse(LossCurves.Draw("Loss on <quadratics> & more", Three)).Root!;

        Assert.Equal(Svg + "svg", root.Name);
        var lines = root.Descendants(Svg + "polyline").ToList();
        Assert.Equal(3, lines.Count);
        Assert.All(lines, line => Assert.Equal(100, ((string)line.Attribute("points")!).Split(' ').Length));
        Assert.Equal(3, root.Descendants(Svg + "polygon").Count());
        Assert.Contains(root.Descendants(Svg + "text"), text => text.Value == "lstm (learned)");
        Assert.Contains(root.Descendants(Svg + "text"), text => text.Value == "a<b>&\"c\"");
        Assert.Contains(root.Descendants(Svg + "text"), text => text.Value == "inner step");
        Assert.Contains(root.Descendants(Svg + "text"), text => text.Value.StartsWith("loss", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_contestant_has_its_own_colour()
    {
        var root = XDocument.Parse(LossCurves.Draw("", Three)).Root!;
        Assert.Equal(3, root.Descendants(Svg + "polyline").Select(line => (string)line.Attribute("stroke")!).Distinct().Count());
    }

    [Fact]
    public void Equal_ratios_of_losses_are_equal_distances()
    {
        var axes = new LossCurves.Axes(100, 0.01, 100);
        Assert.Equal(axes.Y(100) - axes.Y(10), axes.Y(0.1) - axes.Y(0.01), 9);
        Assert.True(axes.Y(100) < axes.Y(10), "a larger loss lies higher");
        Assert.Equal([0.01, 0.1, 1, 10, 100], axes.LossTicks().Where(t => t.Labelled).Select(t => Math.Round(t.Value, 9)));
    }

    [Fact]
    public void A_narrow_range_still_has_labels()
    {
        var axes = LossCurves.Axes.Fit([Curve("adam", false, k => 0.3 + (1.7 / k))]);
        Assert.True(axes.LossTicks().Count(t => t.Labelled) >= 3);
        Assert.Equal([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100], axes.StepTicks());
    }

    [Fact]
    public void A_contestant_that_diverged_does_not_squash_the_others()
    {
        var axes = LossCurves.Axes.Fit([.. Three, Curve("sgd", false, k => Math.Pow(10, k))]);
        Assert.InRange(axes.High, 10, 1000);
        XDocument.Parse(LossCurves.Draw("", [.. Three, Curve("sgd", false, k => k > 50 ? double.NaN : 0)]));
    }

    [Fact]
    public void Without_a_positive_loss_there_is_nothing_to_draw() =>
        Assert.Throws<ArgumentException>(() => LossCurves.Draw("", [Curve("zero", false, _ => 0)]));
}
