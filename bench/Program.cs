using MetaOpt.Bench;

// The command behind ./metaopt bench. Each subcommand's file says what it measures; the list is in BenchCommand.
return BenchCommand.Run(args, Console.Out, Console.Error);
