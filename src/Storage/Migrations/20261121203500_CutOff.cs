using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MetaOpt.Storage.Schema
{
    /// <inheritdoc />
    public partial class CutOff : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropCheckConstraint(
                name: "attempts_outcome_known",
                table: "attempts");

            migrationBuilder.AddCheckConstraint(
                name: "attempts_outcome_known",
                table: "attempts",
                sql: "outcome in ('succeeded', 'failed', 'cancelled', 'handed-back', 'died', 'lost', 'cut-off')");

            // From now on a lost lease is always a death.
            migrationBuilder.Sql("update attempts set outcome = 'cut-off' where outcome = 'lost' and detail like '% while the database was away'");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("update attempts set outcome = 'lost' where outcome = 'cut-off'");

            migrationBuilder.DropCheckConstraint(
                name: "attempts_outcome_known",
                table: "attempts");

            migrationBuilder.AddCheckConstraint(
                name: "attempts_outcome_known",
                table: "attempts",
                sql: "outcome in ('succeeded', 'failed', 'cancelled', 'handed-back', 'died', 'lost')");
        }
    }
}
