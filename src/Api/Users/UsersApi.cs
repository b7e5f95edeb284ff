using System.Text.Json.Nodes;
using MetaOpt.Api.Account;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MetaOpt.Api.Users;

/// <summary>Everybody, for administrators: roles, weights, tokens.</summary>
static class UsersApi
{
    public static void MapUsers(this RouteGroupBuilder v1)
    {
        var users = v1.MapGroup("/users").RequireAuthorization(Scopes.Admin).WithTags("Users");
        users.MapGet("", ListAsync).WithSummary("Everybody, by name.");
        users.MapPost("", CreateAsync).WithSummary("Adds a user; make a first token at /users/{name}/tokens.");
        users.MapGet("/{name}", GetAsync).WithSummary("One user.");
        users.MapPatch("/{name}", ChangeAsync)
            .WithSummary("Changes role or weight, or disables the user and with it every token.");
        users.MapDelete("/{name}", DeleteAsync)
            .WithSummary("Deletes a user with every token and session. Runs, models and audit events stay under the name.");
        users.MapGet("/{name}/tokens", ListTokensAsync).WithSummary("The user's tokens and browser sessions, newest first.");
        users.MapPost("/{name}/tokens", CreateTokenAsync).WithSummary("Makes a token for the user; its text is shown this once.");
        users.MapDelete("/{name}/tokens/{id}", RevokeTokenAsync).WithSummary("Revokes one of the user's tokens.");
    }

    static async Task<IResult> ListAsync(HttpRequest request, UserStore users, CancellationToken cancel)
    {
        request.AllowQuery();
        return Results.Json(
            new JsonObject { ["items"] = new JsonArray([.. (await users.ListUsersAsync(cancel)).Select(Document)]) });
    }

    static async Task<IResult> GetAsync(string name, HttpRequest request, UserStore users, CancellationToken cancel)
    {
        request.AllowQuery();
        return Results.Json(Document(await FindAsync(users, name, cancel)));
    }

    static async Task<IResult> CreateAsync(HttpContext context, UserStore users, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var request = await context.Request.ReadAsync<NewUser>();
        try
        {
            var user = await users.CreateUserAsync(request.Name, request.Role, request.Weight, context.AuditEvent("user.create"),
                cancel);
            return Results.Created($"/api/v1/users/{user.Name}", Document(user));
        }
        catch (DbUpdateException error)
            when (error.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
        {
            throw new ProblemException(409, "name-taken", $"There is a user named {request.Name} already.");
        }
    }

    static async Task<IResult> ChangeAsync(string name, HttpContext context, UserStore users, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var change = await context.Request.ReadChangeAsync<UserEdit>();
        try
        {
            var user = await users.ChangeUserAsync(name, new UserChange(change.Role, change.Weight, change.Disabled),
                context.AuditEvent("user.change"), cancel)
                ?? throw ProblemException.NotFound("such user");
            return Results.Json(Document(user));
        }
        catch (LastAdminException last)
        {
            throw new ProblemException(409, "last-admin", last.Message);
        }
    }

    static async Task<IResult> DeleteAsync(string name, HttpContext context, UserStore users, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        if (name == context.CallerName())
            throw new ProblemException(409, "own-account", $"You are {name}; another administrator deletes this account.");
        try
        {
            if (name.Contains('\0') || !await users.DeleteUserAsync(name, context.AuditEvent("user.delete"), cancel))
                throw ProblemException.NotFound("such user");
        }
        catch (LastAdminException last)
        {
            throw new ProblemException(409, "last-admin", last.Message);
        }
        return Results.NoContent();
    }

    static async Task<IResult> ListTokensAsync(string name, HttpRequest request, UserStore users, CancellationToken cancel)
    {
        request.AllowQuery();
        return Results.Json(TokenDocument.List(await users.ListTokensAsync((await FindAsync(users, name, cancel)).Id, cancel)));
    }

    static async Task<IResult> CreateTokenAsync(string name, HttpContext context, UserStore users, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var request = await context.Request.ReadAsync<TokenRequest>();
        var user = await FindAsync(users, name, cancel);
        var token = await request.CreateAsync(context, users, user.Id, user.Name, Scopes.Of(user.Role),
            $"that {user.Name}'s role has", cancel);
        return Results.Json(TokenDocument.New(token), statusCode: 201);
    }

    static async Task<IResult> RevokeTokenAsync(string name, string id, HttpContext context, UserStore users,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        if (!await users.RevokeTokenAsync((await FindAsync(users, name, cancel)).Id, id,
            context.AuditEvent("token.revoke", id, new() { ["user"] = name }), cancel))
            throw ProblemException.NotFound($"such token of {name}'s, or it is revoked already");
        return Results.NoContent();
    }

    static async Task<User> FindAsync(UserStore users, string name, CancellationToken cancel) =>
        (name.Contains('\0') ? null : await users.FindUserAsync(name, cancel)) ?? throw ProblemException.NotFound("such user");

    static JsonObject Document(User user) => new()
    {
        ["name"] = user.Name,
        ["role"] = Role(user),
        ["weight"] = user.Weight,
        ["createdAt"] = user.CreatedAt,
        ["disabledAt"] = user.DisabledAt,
    };

    static string Role(User user) => user.Role.ToString().ToLowerInvariant();
}
