using System.CommandLine;
using System.CommandLine.Help;
using System.Runtime.InteropServices;
using MetaOpt.Cli;
using MetaOpt.Cli.Client;
using MetaOpt.Cli.Data;
using MetaOpt.Cli.Demo;
using MetaOpt.Cli.Reproduce;
using MetaOpt.Cli.Services;

// The commands behind the script ./metaopt. Each command's file says what it does; here is only the list.
var root = new Command("metaopt", "MetaOpt: learn optimizers and measure them.")
{
    new HelpOption(),
    DemoCommand.Create(), ReproduceCommand.Create(),
    ServiceCommands.Up(), ServiceCommands.Down(), ServiceCommands.Status(), ServiceCommands.ServerLogs(),
    ServiceCommands.Supervise(),
    RunCommands.Submit(), RunCommands.Validate(), RunCommands.List(), RunCommands.Show(), RunCommands.Watch(),
    RunCommands.Cancel(),
    RunCommands.Retry(), RunCommands.Fork(),
    SharingCommands.Queue(), SharingCommands.Batch(), SharingCommands.Logs(), SharingCommands.Promote(), SharingCommands.Models(),
    ResultCommands.Series(), ResultCommands.Checkpoints(), ResultCommands.Download(), ResultCommands.Catalogue(),
    ScheduleCommands.Schedules(), SubscriptionCommands.Subscriptions(),
    Login.Command(), Login.Logout(), Login.WhoAmI(), PeopleCommands.Users(), PeopleCommands.Tokens(),
    DataCommands.Create(), Db.Command(),
};
LoopbackIsDirect.Apply();
foreach (var turn in SharingCommands.Turns()) root.Add(turn);

// Registered for as long as the process lives: a signal may also come while a command ends.
var stop = new CancellationTokenSource();
PosixSignalRegistration[] signals =
    [PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop), PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop)];
var exitCode = await Terminal.RunAsync(root, args, stop.Token);
GC.KeepAlive(signals);
return exitCode;

void Stop(PosixSignalContext signal)
{
    // A second Ctrl-C ends a command that does not stop.
    signal.Cancel = signal.Signal != PosixSignal.SIGINT || !stop.IsCancellationRequested;
    _ = stop.CancelAsync();
}
