using MetaOpt.Cli;

using var interrupted = new CancellationTokenSource();
Console.CancelKeyPress += (_, signal) =>
{
    signal.Cancel = true;
    interrupted.Cancel();
};
return args switch
{
    ["db", .. var words] => await Db.RunAsync(words, interrupted.Token),
    _ => 2,
};
