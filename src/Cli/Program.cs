using System.CommandLine;
using System.CommandLine.Help;
using MetaOpt.Cli;
using MetaOpt.Cli.Client;

// The commands behind the script ./metaopt. Each command's file says what it does; here is only the list.
var database = new Command("db", "The embedded PostgreSQL: start, stop, status.") { TreatUnmatchedTokensAsErrors = false };
database.SetAction((words, cancel) => Db.RunAsync([.. words.UnmatchedTokens], cancel));

var root = new Command("metaopt", "MetaOpt: learn optimizers and measure them.")
{
    new HelpOption(),
    RunCommands.Submit(), RunCommands.Validate(), RunCommands.List(), RunCommands.Show(), RunCommands.Watch(), RunCommands.Cancel(),
    ResultCommands.Series(), ResultCommands.Checkpoints(), ResultCommands.Download(), ResultCommands.Catalogue(),
    database,
};
return await Terminal.RunAsync(root, args);
