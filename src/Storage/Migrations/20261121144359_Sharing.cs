using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace MetaOpt.Storage.Schema
{
    /// <inheritdoc />
    public partial class Sharing : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<bool>(
                name: "draining",
                table: "workers",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<int>(
                name: "slots",
                table: "workers",
                type: "integer",
                nullable: false,
                defaultValue: 1);

            migrationBuilder.AddColumn<bool>(
                name: "paused",
                table: "runs",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<TimeSpan>(
                name: "time_limit",
                table: "runs",
                type: "interval",
                nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "yield_requested",
                table: "runs",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.CreateTable(
                name: "models",
                columns: table => new
                {
                    name = table.Column<string>(type: "text", nullable: false),
                    version = table.Column<int>(type: "integer", nullable: false),
                    checkpoint_id = table.Column<Guid>(type: "uuid", nullable: false),
                    notes = table.Column<string>(type: "text", nullable: false),
                    promoted_by = table.Column<string>(type: "text", nullable: false),
                    promoted_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_models", x => new { x.name, x.version });
                    table.CheckConstraint("models_version_range", "version >= 1");
                    table.ForeignKey(
                        name: "fk_models_checkpoints_checkpoint_id",
                        column: x => x.checkpoint_id,
                        principalTable: "checkpoints",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "quotas",
                columns: table => new
                {
                    owner = table.Column<string>(type: "text", nullable: false),
                    running = table.Column<int>(type: "integer", nullable: true),
                    queued = table.Column<int>(type: "integer", nullable: true),
                    stored_bytes = table.Column<long>(type: "bigint", nullable: true),
                    device_hours = table.Column<double>(type: "double precision", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_quotas", x => x.owner);
                    table.CheckConstraint("quotas_range", "running >= 0 and queued >= 0 and stored_bytes >= 0 and device_hours >= 0");
                });

            migrationBuilder.CreateTable(
                name: "run_logs",
                columns: table => new
                {
                    run_id = table.Column<Guid>(type: "uuid", nullable: false),
                    seq = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityAlwaysColumn),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    text = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_run_logs", x => new { x.run_id, x.seq });
                    table.ForeignKey(
                        name: "fk_run_logs_runs_run_id",
                        column: x => x.run_id,
                        principalTable: "runs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "usage_days",
                columns: table => new
                {
                    owner = table.Column<string>(type: "text", nullable: false),
                    day = table.Column<DateOnly>(type: "date", nullable: false),
                    seconds = table.Column<double>(type: "double precision", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_usage_days", x => new { x.owner, x.day });
                });

            migrationBuilder.AddCheckConstraint(
                name: "runs_paused_open",
                table: "runs",
                sql: "not paused or state in ('queued', 'running')");

            migrationBuilder.AddCheckConstraint(
                name: "runs_yield_running",
                table: "runs",
                sql: "not yield_requested or state = 'running'");

            migrationBuilder.CreateIndex(
                name: "ix_models_checkpoint_id",
                table: "models",
                column: "checkpoint_id");

            migrationBuilder.Sql(MetaOpt.Storage.Sql.Read("0003-sharing.sql"));
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(MetaOpt.Storage.Sql.Read("0003-sharing-down.sql"));

            migrationBuilder.DropTable(
                name: "models");

            migrationBuilder.DropTable(
                name: "quotas");

            migrationBuilder.DropTable(
                name: "run_logs");

            migrationBuilder.DropTable(
                name: "usage_days");

            migrationBuilder.DropCheckConstraint(
                name: "runs_paused_open",
                table: "runs");

            migrationBuilder.DropCheckConstraint(
                name: "runs_yield_running",
                table: "runs");

            migrationBuilder.DropColumn(
                name: "draining",
                table: "workers");

            migrationBuilder.DropColumn(
                name: "slots",
                table: "workers");

            migrationBuilder.DropColumn(
                name: "paused",
                table: "runs");

            migrationBuilder.DropColumn(
                name: "time_limit",
                table: "runs");

            migrationBuilder.DropColumn(
                name: "yield_requested",
                table: "runs");
        }
    }
}
