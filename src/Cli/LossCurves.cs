using System.Security;
using System.Text;
using static System.FormattableString;

namespace MetaOpt.Cli;

/// <summary>One contestant's loss over inner steps.</summary>
/// <param name="Name">As the legend shows it.</param>
/// <param name="Learned">Drawn thicker.</param>
/// <param name="Mean">Mean over instances: a solid line.</param>
/// <param name="Median">Median over instances: a dashed line.</param>
/// <param name="P10">Lower edge of the band.</param>
/// <param name="P90">Upper edge of the band.</param>
public sealed record LossCurve(
    string Name,
    bool Learned,
    IReadOnlyList<CurvePoint> Mean,
    IReadOnlyList<CurvePoint> Median,
    IReadOnlyList<CurvePoint> P10,
    IReadOnlyList<CurvePoint> P90);

/// <summary>A loss at an inner step.</summary>
public readonly record struct CurvePoint(double Step, double Value);

/// <summary>Draws loss curves as SVG: logarithmic loss axis, a band from the 10th to the 90th percentile.</summary>
public static class LossCurves
{
    const int Width = 960, Height = 560, Left = 78, Right = 196, Top = 56, Bottom = 62;

    // Okabe and Ito's palette and four of Tol's, told apart with every common kind of colour blindness; the learned optimizer
    // comes first.
    static readonly string[] Colours = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#882255",
        "#999933", "#44aa99", "#7f7f7f"];

    /// <summary>The whole document.</summary>
    /// <exception cref="ArgumentException">No curve has a positive loss.</exception>
    public static string Draw(string title, IReadOnlyList<LossCurve> curves)
    {
        var axes = Axes.Fit(curves);
        var svg = new StringBuilder();
        svg.Append(Invariant($"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" width="{Width}" height="{Height}" font-family="system-ui, sans-serif" font-size="14">
            <title>{SecurityElement.Escape(title)}</title>
            <rect width="{Width}" height="{Height}" fill="#ffffff"/>
            <text x="{Left}" y="30" font-size="18" font-weight="600" fill="#222222">{SecurityElement.Escape(title)}</text>
            <clipPath id="plot"><rect x="{Left}" y="{Top}" width="{Width - Left - Right}" height="{Height - Top - Bottom}"/></clipPath>

            """));
        DrawAxes(svg, axes);
        var coloured = curves.Select((curve, i) => (curve, colour: Colours[i % Colours.Length])).ToList();
        svg.Append("<g clip-path=\"url(#plot)\" fill=\"none\" stroke-linejoin=\"round\">\n");
        foreach (var (curve, colour) in coloured)
            DrawBand(svg, axes, curve, colour);
        // The first curve is drawn last, on top of the others.
        foreach (var (curve, colour) in Enumerable.Reverse(coloured))
            DrawLines(svg, axes, curve, colour);
        svg.Append("</g>\n");
        DrawLegend(svg, coloured);
        return svg.Append("</svg>\n").ToString();
    }

    static void DrawBand(StringBuilder svg, Axes axes, LossCurve curve, string colour)
    {
        var outline = Drawable(curve.P90).Concat(Drawable(curve.P10).Reverse()).Select(axes.Place).ToList();
        if (outline.Count > 2)
            svg.Append($"<polygon points=\"{string.Join(' ', outline)}\" fill=\"{colour}\" fill-opacity=\"{(curve.Learned ? "0.18" : "0.045")}\"/>\n");
    }

    static void DrawLines(StringBuilder svg, Axes axes, LossCurve curve, string colour)
    {
        var median = Drawable(curve.Median).Select(axes.Place).ToList();
        if (median.Count > 1)
            svg.Append($"<path d=\"M{string.Join(" L", median)}\" stroke=\"{colour}\" stroke-width=\"1.2\" stroke-dasharray=\"5 "
                + "4\"/>\n");
        svg.Append($"<polyline points=\"{string.Join(' ', Drawable(curve.Mean).Select(axes.Place))}\" stroke=\"{colour}\"")
            .Append($" stroke-width=\"{(curve.Learned ? "3.2" : "2")}\"><title>{SecurityElement.Escape(curve.Name)}</title></polyline>\n");
    }

    static void DrawAxes(StringBuilder svg, Axes axes)
    {
        int bottom = Height - Bottom, right = Width - Right;
        foreach (var (value, labelled) in axes.LossTicks())
        {
            var y = axes.Y(value);
            svg.Append(Invariant(
                $"<line x1=\"{Left}\" x2=\"{right}\" y1=\"{y:F1}\" y2=\"{y:F1}\" stroke=\"{(labelled ? "#d0d0d0" : "#efefef")}\"/>\n"));
            if (labelled)
                svg.Append(Invariant(
                    $"<text x=\"{Left - 10}\" y=\"{y + 5:F1}\" text-anchor=\"end\" fill=\"#444444\">{value:0.##########}</text>\n"));
        }
        foreach (var step in axes.StepTicks())
            svg.Append(Invariant(
                $"<text x=\"{axes.X(step):F1}\" y=\"{bottom + 22}\" text-anchor=\"middle\" fill=\"#444444\">{step:0}</text>\n"))
                .Append(Invariant(
                    $"<line x1=\"{axes.X(step):F1}\" x2=\"{axes.X(step):F1}\" y1=\"{bottom}\" y2=\"{bottom + 5}\" stroke=\"#444444\"/>\n"));
        svg.Append(Invariant($"""
            <path d="M{Left} {Top} V{bottom} H{right}" fill="none" stroke="#444444"/>
            <text x="{(Left + right) / 2}" y="{Height - 14}" text-anchor="middle" fill="#222222">inner step</text>
            <text transform="translate(20 {(Top + bottom) / 2}) rotate(-90)" text-anchor="middle" fill="#222222">loss (log scale)</text>

            """));
    }

    static void DrawLegend(StringBuilder svg, List<(LossCurve Curve, string Colour)> curves)
    {
        var (x, y) = (Width - Right + 20, Top);
        foreach (var (curve, colour) in curves)
        {
            y += 24;
            svg.Append($"<line x1=\"{x}\" x2=\"{x + 26}\" y1=\"{y - 9}\" y2=\"{y - 9}\" stroke=\"{colour}\" stroke-width=\"{(curve.Learned ? "4" : "2.5")}\"/>\n")
                .Append($"<text x=\"{x + 34}\" y=\"{y - 4}\" fill=\"#222222\">{SecurityElement.Escape(curve.Name)}{(curve.Learned ? " (learned)" : "")}</text>\n");
        }
        string[] notes = ["line: mean over instances", "dashed: median", "band: 10th to 90th percentile"];
        for (var i = 0; i < notes.Length; i++)
            svg.Append($"<text x=\"{x}\" y=\"{y + 26 + (17 * i)}\" font-size=\"11\" fill=\"#555555\">{notes[i]}</text>\n");
    }

    // A logarithm has no place for zero, and none for what diverged.
    static IEnumerable<CurvePoint> Drawable(IReadOnlyList<CurvePoint> points) =>
        points.Where(p => double.IsFinite(p.Value) && p.Value > 0);

    /// <summary>Where a loss at a step lies on the page.</summary>
    /// <param name="Steps">Largest step.</param>
    /// <param name="Low">Smallest loss shown.</param>
    /// <param name="High">Largest loss shown.</param>
    public sealed record Axes(double Steps, double Low, double High)
    {
        // Bands may reach far below the means, and a diverged baseline far above everything; neither may squash the rest.
        const double DecadesBelowMeans = 2, DecadesAboveStart = 1;

        /// <summary>The axes that show <paramref name="curves"/> well.</summary>
        public static Axes Fit(IReadOnlyList<LossCurve> curves)
        {
            var means = curves.SelectMany(c => Drawable(c.Mean)).ToList();
            if (means.Count == 0)
                throw new ArgumentException(
                    "No curve has a finite positive loss, so there is nothing to draw on a logarithmic axis.");
            var bands = curves.SelectMany(c => Drawable(c.P10).Concat(Drawable(c.P90)).Concat(Drawable(c.Median))).Concat(means)
                .ToList();
            var lowest = means.Min(p => p.Value);
            var first = means.Min(p => p.Step);
            var start = means.Where(p => p.Step == first).Min(p => p.Value);
            var low = Math.Max(bands.Min(p => p.Value), lowest * Math.Pow(10, -DecadesBelowMeans));
            var high = Math.Min(bands.Max(p => p.Value), start * Math.Pow(10, DecadesAboveStart));
            return new Axes(Math.Max(1, means.Max(p => p.Step)), low * 0.9, Math.Max(high, low * 1.5) * 1.1);
        }

        /// <summary>Horizontal place of a step; step 0 is the left edge.</summary>
        public double X(double step) => Left + (step / Steps * (Width - Left - Right));

        /// <summary>Vertical place of a loss: equal ratios are equal distances.</summary>
        public double Y(double loss) => Height - Bottom - (Math.Log(loss / Low) / Math.Log(High / Low) * (Height - Top - Bottom));

        /// <summary>A point as SVG writes it; one outside the picture stays near it.</summary>
        public string Place(CurvePoint point) =>
            Invariant($"{X(point.Step):F1},{Math.Clamp(Y(point.Value), -Height, 2 * Height):F1}");

        /// <summary>1, 2, .. 9 of every decade; labelled are the decades, and 2 and 5 where there are few of them.</summary>
        public IEnumerable<(double Value, bool Labelled)> LossTicks()
        {
            var few = Math.Log10(High / Low) < 2.5;
            for (var decade = Math.Floor(Math.Log10(Low)); decade <= Math.Log10(High); decade++)
                for (var digit = 1; digit <= 9; digit++)
                    if (digit * Math.Pow(10, decade) is var value && value >= Low && value <= High)
                        yield return (value, digit == 1 || (few && digit is 2 or 5));
        }

        /// <summary>About ten round steps, from 0.</summary>
        public IEnumerable<double> StepTicks()
        {
            var rough = Steps / 10;
            var decade = Math.Pow(10, Math.Floor(Math.Log10(rough)));
            var every = Math.Max(1, decade * (rough / decade) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 });
            for (var step = 0.0; step <= Steps; step += every)
                yield return step;
        }
    }
}
