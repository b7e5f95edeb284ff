using System;
using System.Collections.Generic;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MetaOpt.Storage.Schema
{
    /// <inheritdoc />
    public partial class RetryAndAfter : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<List<Guid>>(
                name: "after",
                table: "runs",
                type: "uuid[]",
                nullable: false,
                defaultValueSql: "'{}'");

            migrationBuilder.AddColumn<Guid>(
                name: "batch",
                table: "runs",
                type: "uuid",
                nullable: true);

            migrationBuilder.AddColumn<Guid>(
                name: "forked_from",
                table: "runs",
                type: "uuid",
                nullable: true);

            migrationBuilder.AddColumn<List<Guid>>(
                name: "inputs",
                table: "runs",
                type: "uuid[]",
                nullable: false,
                defaultValueSql: "'{}'");

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "queued_at",
                table: "runs",
                type: "timestamp with time zone",
                nullable: false,
                defaultValueSql: "clock_timestamp()");

            migrationBuilder.CreateIndex(
                name: "runs_batch",
                table: "runs",
                column: "batch",
                filter: "batch is not null");

            migrationBuilder.Sql(MetaOpt.Storage.Sql.Read("0002-retry-and-after.sql"));
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(MetaOpt.Storage.Sql.Read("0002-retry-and-after-down.sql"));

            migrationBuilder.DropIndex(
                name: "runs_batch",
                table: "runs");

            migrationBuilder.DropColumn(
                name: "after",
                table: "runs");

            migrationBuilder.DropColumn(
                name: "batch",
                table: "runs");

            migrationBuilder.DropColumn(
                name: "forked_from",
                table: "runs");

            migrationBuilder.DropColumn(
                name: "inputs",
                table: "runs");

            migrationBuilder.DropColumn(
                name: "queued_at",
                table: "runs");
        }
    }
}
