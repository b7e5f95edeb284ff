Console.WriteLine("metaopt");
