using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using MetaOpt.Evaluation;
using MetaOpt.Storage;

namespace MetaOpt.Api.Compare;

/// <summary>Optimizers measured on one task, the best first.</summary>
sealed record Board(string Id, JsonNode Task, int Horizon, IReadOnlyList<BoardEntry> Entries)
{
    /// <summary>Makes a board for each task and horizon, in the order of the measurements.</summary>
    /// <param name="measured">Runs and what they measured.</param>
    /// <param name="identity">The same for the same optimizer.</param>
    public static IReadOnlyList<Board> Of(IEnumerable<(Run Run, Measurement Found)> measured, Func<Standing, string> identity) =>
    [
        .. measured.GroupBy(m => (Task: m.Found.Task.ToJsonString(), m.Found.Horizon)).Select(same => new Board(
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{same.Key.Task} {same.Key.Horizon}")))[..12],
            same.First().Found.Task, same.Key.Horizon,
            Best(same.SelectMany(m => m.Found.Standings.Select(s => new BoardEntry(m.Run, m.Found, s))), identity))),
    ];

    /// <summary>Repeated measurements count once: the one on the most instances, then the latest.</summary>
    static IReadOnlyList<BoardEntry> Best(IEnumerable<BoardEntry> entries, Func<Standing, string> identity) =>
    [
        .. entries.GroupBy(e => identity(e.Standing))
            .Select(same => same.OrderByDescending(e => e.Of.Instances).ThenByDescending(e => e.Run.Id).First())
            .OrderBy(e => e.Measured.FinalMean ?? double.PositiveInfinity),
    ];
}

/// <summary>An optimizer on a board.</summary>
/// <param name="Run">The run that measured it.</param>
/// <param name="Of">All that the run measured.</param>
/// <param name="Standing">The optimizer.</param>
sealed record BoardEntry(Run Run, Measurement Of, Standing Standing)
{
    public ContestantResult Measured => Standing.Measured;
}
