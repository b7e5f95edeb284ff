using System.Net;
using MetaOpt.Api.Notifications;
using Xunit;

namespace MetaOpt.Service.Tests.Notifications;

/// <summary>Which hosts and addresses notifications may reach.</summary>
public class AllowedHostsTests
{
    [Theory]
    [InlineData("hooks.example.org", "hooks.example.org", true)]
    [InlineData("hooks.example.org", "HOOKS.example.org.", true)]
    [InlineData("hooks.example.org", "evil.org", false)]
    [InlineData("hooks.example.org", "hooks.example.org.evil.org", false)]
    [InlineData("*.example.org", "a.b.example.org", true)]
    [InlineData("*.example.org", "evilexample.org", false)]
    [InlineData("*.example.org", "example.org", false)]
    [InlineData("*", "anything.example.net", true)]
    [InlineData("*", "localhost", false)]
    [InlineData("*", "127.0.0.1", false)]
    [InlineData("*", "[::1]", false)]
    [InlineData("*", "8.8.8.8", true)]
    [InlineData("", "hooks.example.org", false)]
    [InlineData("127.0.0.1", "127.0.0.1", true)]
    [InlineData("127.0.0.1", "127.0.0.2", false)]
    public void A_name_is_covered_where_the_list_says_so(string list, string host, bool covered) =>
        Assert.Equal(covered, AllowedHosts.Parse(list).CoversName(host));

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.0.3")]
    [InlineData("0.0.0.0")]
    [InlineData("10.1.2.3")]
    [InlineData("172.31.255.255")]
    [InlineData("192.168.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("100.64.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::1")]
    [InlineData("::")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("::127.0.0.1")]
    [InlineData("64:ff9b::7f00:1")]
    [InlineData("2002:7f00:1::")]
    [InlineData("fd00::1")]
    [InlineData("fe80::1")]
    public void A_listed_name_leads_to_no_private_address_unless_that_is_listed_too(string address)
    {
        var parsed = IPAddress.Parse(address);
        Assert.False(AllowedHosts.Parse("*, hooks.example.org").CoversAddress(parsed, named: true));
        Assert.False(AllowedHosts.Parse("11.0.0.0/8").CoversAddress(parsed, named: false));
        var own = parsed.IsIPv4MappedToIPv6 ? parsed.MapToIPv4() : parsed;
        Assert.True(AllowedHosts.Parse(own.ToString()).CoversAddress(parsed, named: false));
    }

    [Theory]
    [InlineData("8.8.8.8")]
    [InlineData("2606:4700::1111")]
    public void Public_addresses_need_a_listed_name(string address)
    {
        Assert.True(AllowedHosts.Parse("*").CoversAddress(IPAddress.Parse(address), named: true));
        Assert.False(AllowedHosts.Parse("*").CoversAddress(IPAddress.Parse(address), named: false));
    }

    [Fact]
    public async Task A_name_is_resolved_to_an_address_that_may_be_reached()
    {
        await Assert.ThrowsAsync<ForbiddenHostException>(
            () => AllowedHosts.Parse("localhost").ResolveAsync("localhost", default));
        Assert.True(IPAddress.IsLoopback(await AllowedHosts.Parse("127.0.0.0/8, ::1").ResolveAsync("localhost", default)));
    }

    [Theory]
    [InlineData("http://")]
    [InlineData("10.0.0.0/99")]
    [InlineData("a b")]
    [InlineData("*.*")]
    public void A_wrong_entry_is_told(string entry) =>
        Assert.Equal(entry, Assert.Throws<FormatException>(() => AllowedHosts.Parse($"ok.example, {entry}")).Message);
}
