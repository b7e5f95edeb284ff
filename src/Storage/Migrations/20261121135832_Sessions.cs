using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MetaOpt.Storage.Schema
{
    /// <inheritdoc />
    public partial class Sessions : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "session_of",
                table: "tokens",
                type: "text",
                nullable: true);

            migrationBuilder.CreateIndex(
                name: "ix_tokens_session_of",
                table: "tokens",
                column: "session_of");

            migrationBuilder.AddForeignKey(
                name: "fk_tokens_tokens_session_of",
                table: "tokens",
                column: "session_of",
                principalTable: "tokens",
                principalColumn: "id");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropForeignKey(
                name: "fk_tokens_tokens_session_of",
                table: "tokens");

            migrationBuilder.DropIndex(
                name: "ix_tokens_session_of",
                table: "tokens");

            migrationBuilder.DropColumn(
                name: "session_of",
                table: "tokens");
        }
    }
}
