using System.Security;
using System.Text;
using static System.FormattableString;

namespace MetaOpt.Cli.Reproduce;

/// <summary>Draws the relative bias of each estimator, one dot a seed with its standard error, on a logarithmic axis.</summary>
public static class BiasChart
{
    const int Width = 960, Left = 290, Right = 40, Top = 60, RowHeight = 44, Bottom = 62;
    const double Smallest = 1e-4; // what is below is drawn here

    /// <summary>The whole document.</summary>
    public static string Draw(IReadOnlyList<MeasuredDiagnosis> seeds)
    {
        var rows = seeds[0].Rows;
        var highest = seeds.SelectMany(s => s.Rows).Select(r => r.RelativeBias).Where(double.IsFinite).Append(1).Max();
        var decades = (int)Math.Ceiling(Math.Log10(highest / Smallest));
        var bottom = Top + rows.Count * RowHeight;
        double X(double bias) =>
            Left + (Width - Left - Right) * Math.Clamp(Math.Log10(Math.Max(bias, Smallest) / Smallest) / decades, 0, 1);

        var svg = new StringBuilder();
        svg.Append(Invariant($"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {bottom + Bottom}" width="{Width}" height="{bottom + Bottom}" font-family="system-ui, sans-serif" font-size="14">
            <title>{SecurityElement.Escape(seeds[0].Title)}</title>
            <rect width="{Width}" height="{bottom + Bottom}" fill="#ffffff"/>
            <text x="24" y="32" font-size="18" font-weight="600" fill="#222222">{SecurityElement.Escape(seeds[0].Title)}</text>

            """));
        for (var decade = 0; decade <= decades; decade++)
        {
            var x = X(Smallest * Math.Pow(10, decade));
            svg.Append(Invariant($"<line x1=\"{x:F1}\" y1=\"{Top}\" x2=\"{x:F1}\" y2=\"{bottom}\" stroke=\"#dddddd\"/>\n"))
                .Append(Invariant(
                    $"<text x=\"{x:F1}\" y=\"{bottom + 22}\" text-anchor=\"middle\" fill=\"#444444\">{Smallest * Math.Pow(10, decade):G3}</text>\n"));
        }
        svg.Append(Invariant(
            $"<text x=\"{(Left + Width - Right) / 2}\" y=\"{bottom + 48}\" text-anchor=\"middle\" fill=\"#222222\">norm of the bias / norm of the reference</text>\n"));
        foreach (var (i, row) in rows.Index())
        {
            var y = Top + (i + 0.5) * RowHeight;
            svg.Append(Invariant(
                $"<text x=\"{Left - 14}\" y=\"{y + 5:F1}\" text-anchor=\"end\" fill=\"#222222\">{SecurityElement.Escape(row.Estimator)}</text>\n"));
            foreach (var (k, seed) in seeds.Index())
                DrawSeed(svg, seed.Of(row.Estimator), y + 9 * (k - (seeds.Count - 1) / 2.0), X);
        }
        return svg.Append("</svg>\n").ToString();
    }

    static void DrawSeed(StringBuilder svg, EstimatorRow row, double y, Func<double, double> x)
    {
        var error = row.RelativeStandardError;
        if (double.IsFinite(error) && error > 0)
        {
            svg.Append(Invariant(
                $"<line x1=\"{x(row.RelativeBias - error):F1}\" y1=\"{y:F1}\" x2=\"{x(row.RelativeBias + error):F1}\" y2=\"{y:F1}\" "))
                .Append("stroke=\"#0072b2\" stroke-width=\"2\"/>\n");
        }
        svg.Append(Invariant($"<circle cx=\"{x(row.RelativeBias):F1}\" cy=\"{y:F1}\" r=\"4.5\" fill=\"#0072b2\"/>\n"));
    }
}
