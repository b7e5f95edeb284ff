using System.Text.Json.Nodes;
using MetaOpt.Api.Account;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Models;
using MetaOpt.Api.Notifications;
using MetaOpt.Api.Queue;
using MetaOpt.Api.Runs;
using MetaOpt.Api.Schedules;
using MetaOpt.Api.Users;
using MetaOpt.Runs;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace MetaOpt.Api.Catalogue;

/// <summary>
/// Swagger: bearer tokens, the specifications' schemas made from the catalogue, and examples that run as they stand.
/// </summary>
static class OpenApi
{
    const string Bearer = "Bearer";

    public static void AddOpenApiDocument(this IServiceCollection services) =>
        services.AddEndpointsApiExplorer().AddSwaggerGen(o =>
    {
        o.SwaggerDoc("v1",
            new OpenApiInfo { Title = "MetaOpt", Version = "v1", Description = "Learn optimizers and measure them." });
        o.AddSecurityDefinition(Bearer, new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer" });
        o.AddSecurityRequirement(document =>
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Bearer, document)] = [] });
        o.DocumentFilter<Bodies>();
    });

    public static void UseOpenApiDocument(this WebApplication app)
    {
        app.UseSwagger();
        app.UseSwaggerUI(o => o.SwaggerEndpoint("/swagger/v1/swagger.json", "MetaOpt v1"));
    }

    /// <summary>A submission of each kind, by its title.</summary>
    static Dictionary<string, string> Examples(RunKinds kinds) =>
        kinds.All.ToDictionary(k => k.Example.Title, k => Example(k).ToJsonString());

    static JsonObject Example(RunKind kind) => new()
    {
        ["kind"] = kind.Name,
        ["name"] = kind.Example.Name,
        ["spec"] = JsonNode.Parse(kind.Example.Spec),
    };

    /// <summary>The first kind's example on three seeds and two kernel sets.</summary>
    static string GridExample(RunKinds kinds) => new JsonObject
    {
        ["run"] = Example(kinds.All[0]),
        ["grid"] = new JsonArray(
            new JsonObject { ["field"] = "/seed", ["values"] = new JsonArray(1, 2, 3) },
            new JsonObject { ["field"] = "/kernels", ["values"] = new JsonArray("simd", "scalar") }),
    }.ToJsonString();

    /// <summary>The first kind's example, every night.</summary>
    static string ScheduleExample(RunKinds kinds) => new JsonObject
    {
        ["name"] = "nightly",
        ["cron"] = "0 3 * * *",
        ["timeZone"] = "Europe/Berlin",
        ["missed"] = "one",
        ["run"] = Example(kinds.All[0]),
    }.ToJsonString();

    sealed class Bodies(Documentation documentation, RunKinds kinds) : IDocumentFilter
    {
        public void Apply(OpenApiDocument document, DocumentFilterContext context)
        {
            var catalogue = SpecReader.Describe(kinds, documentation.SummaryOf);
            document.Components ??= new OpenApiComponents();
            var schemas = document.Components.Schemas ??= new Dictionary<string, IOpenApiSchema>();
            foreach (var registry in Catalog.Registries)
                schemas[Name(registry.Kind)] = new OpenApiSchema
                {
                    OneOf = [.. catalogue[registry.List]!.AsArray().Select(entry =>
                        (IOpenApiSchema)Record(document, entry!["fields"]!.AsArray(), (string)entry["name"]!,
                            (string)entry["summary"]!))],
                };
            foreach (var kind in catalogue["kinds"]!.AsArray())
                schemas[Name((string)kind!["name"]!)] = Record(document, kind["fields"]!.AsArray(), null, null);
            schemas["Submission"] = Submission(document, catalogue);
            foreach (var (path, effect) in new[] { ("/api/v1/runs", "Queues a run."),
                ("/api/v1/runs:validate", "Changes nothing.") })
                if (document.Paths.TryGetValue(path, out var item)
                    && item.Operations!.TryGetValue(HttpMethod.Post, out var operation))
                    operation.RequestBody = Body(new OpenApiSchemaReference("Submission", document), Examples(kinds), effect);
            Takes<RunChange>(document, HttpMethod.Patch, "/api/v1/runs/{id}", "rename",
                """{"name":"a better name","tags":["kept"],"priority":-5}""",
                "Changes the run's name, tags and priority.");
            Takes<Fork>(document, HttpMethod.Post, "/api/v1/runs/{id}/fork", "another seed",
                """{"name":"the same with another seed","spec":{"seed":2}}""",
                "Queues a run.");
            Takes<QuotasApi.Limits>(document, HttpMethod.Put, "/api/v1/quotas", "a small lab",
                """{"running":4,"queued":500,"storedBytes":50000000000,"deviceHours":100}""",
                "WARNING: replaces, at once, the limits of every user who has none of their own.");
            Takes<QuotasApi.Limits>(document, HttpMethod.Put, "/api/v1/quotas/{name}", "before a deadline", """{"running":8}""",
                "WARNING: replaces, at once, all limits of this user.");
            var grid = GridExample(kinds);
            Takes<Batch>(document, HttpMethod.Post, "/api/v1/runs:batch", "three seeds, two kernel sets", grid,
                "Queues six runs.");
            Takes<Batch>(document, HttpMethod.Post, "/api/v1/runs:validate-batch", "three seeds, two kernel sets", grid,
                "Changes nothing.");
            var nightly = ScheduleExample(kinds);
            Takes<ScheduleRequest>(document, HttpMethod.Post, "/api/v1/schedules", "every night at three", nightly,
                "Creates a schedule that submits a run every night.");
            Takes<ScheduleRequest>(document, HttpMethod.Post, "/api/v1/schedules:validate", "every night at three", nightly,
                "Changes nothing.");
            Takes<ScheduleChange>(document, HttpMethod.Patch, "/api/v1/schedules/{id}");
            Takes<NewSubscription>(document, HttpMethod.Post, "/api/v1/subscriptions");
            Takes<SubscriptionChange>(document, HttpMethod.Patch, "/api/v1/subscriptions/{id}");
            Takes<ModelsApi.Promotion>(document, HttpMethod.Post, "/api/v1/checkpoints/{id}/promote");
            const string token = """{"name":"my script","scopes":["runs:read"],"expiresInDays":30}""";
            Takes<TokenRequest>(document, HttpMethod.Post, "/api/v1/me/tokens", "for a script", token,
                "Creates a token that only reads, for 30 days.");
            Takes<BrowserSession.SignIn>(document, HttpMethod.Post, "/api/v1/session");
            Takes<NewUser>(document, HttpMethod.Post, "/api/v1/users", "a colleague",
                """{"name":"ada","role":"member","weight":2}""",
                "Adds the user ada, without a token.");
            Takes<UserEdit>(document, HttpMethod.Patch, "/api/v1/users/{name}", "the usual share of the machines",
                """{"weight":1}""",
                "Sets the user's weight to the default.");
            Takes<TokenRequest>(document, HttpMethod.Post, "/api/v1/users/{name}/tokens", "for a script", token,
                "Creates a token of the user's that only reads, for 30 days.");
        }

        /// <summary>
        /// The body is a record <typeparamref name="T"/>; with an example that runs as it stands, and what it then does.
        /// </summary>
        void Takes<T>(OpenApiDocument document, HttpMethod method, string path, string? example = null, string? body = null,
            string? effect = null)
        {
            if (document.Paths.TryGetValue(path, out var item) && item.Operations!.TryGetValue(method, out var operation))
                operation.RequestBody = Body(
                    Record(document, SpecReader.DescribeRecord(typeof(T), documentation.SummaryOf), null, null),
                    example is null ? [] : new Dictionary<string, string> { [example] = body! }, effect);
        }

        static OpenApiRequestBody Body(IOpenApiSchema schema, IEnumerable<KeyValuePair<string, string>> examples,
            string? effect) => new()
            {
                Required = true,
                // Where Swagger's page shows it beside the button that sends the example.
                Description = effect,
                Content = new Dictionary<string, IOpenApiMediaType>
                {
                    ["application/json"] = new OpenApiMediaType
                    {
                        Schema = schema,
                        Examples = examples.ToDictionary(e => e.Key,
                        e => (IOpenApiExample)new OpenApiExample
                        {
                            Summary = e.Key,
                            Description = effect,
                            Value = JsonNode.Parse(e.Value)
                        }),
                    },
                },
            };

        static OpenApiSchema Submission(OpenApiDocument document, JsonObject catalogue) => new()
        {
            Type = JsonSchemaType.Object,
            AdditionalPropertiesAllowed = false,
            Required = new HashSet<string> { "kind", "spec" },
            Properties = new Dictionary<string, IOpenApiSchema>
            {
                ["kind"] = new OpenApiSchema
                {
                    Type = JsonSchemaType.String,
                    Enum = [.. catalogue["kinds"]!.AsArray().Select(k => JsonNode.Parse(k!["name"]!.ToJsonString())!)]
                },
                ["name"] = new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = 200 },
                ["tags"] = new OpenApiSchema
                {
                    Type = JsonSchemaType.Array,
                    MaxItems = 20,
                    Items = new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = 60 }
                },
                ["notes"] = new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = 10_000 },
                ["pool"] = new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = 40, Default = "cpu" },
                ["priority"] = new OpenApiSchema
                {
                    Type = JsonSchemaType.Integer,
                    Minimum = "-100",
                    Maximum = "100",
                    Default = 0
                },
                ["timeLimitSeconds"] = new OpenApiSchema { Type = JsonSchemaType.Number, Minimum = "1", Maximum = "31536000" },
                ["after"] = new OpenApiSchema
                {
                    Type = JsonSchemaType.Array,
                    MaxItems = 50,
                    Items = new OpenApiSchema { Type = JsonSchemaType.String, Format = "uuid" }
                },
                ["spec"] = new OpenApiSchema
                {
                    OneOf = [.. catalogue["kinds"]!.AsArray()
                    .Select(k => (IOpenApiSchema)new OpenApiSchemaReference(Name((string)k!["name"]!), document))]
                },
            },
        };

        static OpenApiSchema Record(OpenApiDocument document, JsonArray fields, string? type, string? description)
        {
            var properties = new Dictionary<string, IOpenApiSchema>();
            if (type is not null) properties["type"] = new OpenApiSchema { Type = JsonSchemaType.String, Enum = [type] };
            foreach (var field in fields) properties[(string)field!["name"]!] = Field(document, field.AsObject());
            return new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                Title = type,
                Description = description,
                AdditionalPropertiesAllowed = false,
                Properties = properties,
                Required = new HashSet<string>([.. type is null ? [] : (string[])["type"],
                    .. fields.Where(f => (bool)f!["required"]!).Select(f => (string)f!["name"]!)]),
            };
        }

        static IOpenApiSchema Field(OpenApiDocument document, JsonObject field)
        {
            var type = (string)field["type"]!;
            IOpenApiSchema schema = Catalog.Registries.Any(r => r.Kind == type)
                ? new OpenApiSchemaReference(Name(type), document)
                : type == "object" && field["fields"] is null
                    ? new OpenApiSchema { Type = JsonSchemaType.Object, Description = (string?)field["description"] }
                : type == "object"
                    ? Record(document, field["fields"]!.AsArray(), null, (string?)field["description"])
                    : Scalar(field, type);
            if (!(bool)field["list"]!) return schema;
            return new OpenApiSchema
            {
                Type = JsonSchemaType.Array,
                Items = schema,
                Description = (string?)field["description"],
                MinItems = (int?)field["minLength"],
                MaxItems = (int?)field["maxLength"],
                Default = field["default"]?.DeepClone(),
            };
        }

        static OpenApiSchema Scalar(JsonObject field, string type)
        {
            var (isText, list) = (type is "string" or "uuid" or "choice", (bool)field["list"]!);
            return new OpenApiSchema
            {
                Type = (type switch
                {
                    "integer" => JsonSchemaType.Integer,
                    "number" => JsonSchemaType.Number,
                    "boolean" => JsonSchemaType.Boolean,
                    _ => JsonSchemaType.String
                })
                    | ((bool)field["nullable"]! ? JsonSchemaType.Null : 0),
                Format = type == "uuid" ? "uuid" : null,
                Description = list ? null : (string?)field["description"],
                Minimum = isText ? null : field["min"]?.ToJsonString(),
                Maximum = isText ? null : field["max"]?.ToJsonString(),
                MinLength = isText && !list ? (int?)field["minLength"] : null,
                MaxLength = isText && !list ? (int?)field["maxLength"] : null,
                Enum = type == "choice" ? [.. field["choices"]!.AsArray().Select(c => c!.DeepClone())] : null,
                Default = list ? null : field["default"]?.DeepClone(),
            };
        }

        static string Name(string kind) =>
            string.Concat(kind.Split(' ', '-').Select(word => char.ToUpperInvariant(word[0]) + word[1..])) + "Spec";
    }
}
