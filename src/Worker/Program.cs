Console.WriteLine("metaopt-worker");
