using System.Reflection;
using MetaOpt;
using MetaOpt.Workers;

return await new WorkerHost(Assembly.GetExecutingAssembly().Location, () => Catalog.RunKinds).RunAsync(args);
