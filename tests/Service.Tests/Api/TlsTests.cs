using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>The API beyond this machine, with a certificate of the operator's.</summary>
public sealed class TlsTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task With_a_certificate_it_listens_everywhere_and_speaks_TLS_only(bool keyApart)
    {
        var (certificate, arguments) = Certificate(TestFolders.New("tls"), keyApart);
        using var api = new ApiProcess(await PostgresFixture.CreateDatabaseAsync(), ["--listen", "0.0.0.0:0", .. arguments]);
        var address = await api.AddressAsync();
        Assert.Equal(("https", "0.0.0.0"), (address.Scheme, address.Host));
        var here = new Uri($"https://localhost:{address.Port}");

        using var trusting = new HttpClient(new SocketsHttpHandler
        {
            UseCookies = false,
            SslOptions = new SslClientAuthenticationOptions
            {
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore = { certificate },
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            },
        });
        Assert.Equal(HttpStatusCode.OK, (await trusting.GetAsync(new Uri(here, "/healthz/ready"))).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await trusting.GetAsync(new Uri(here, "/api/v1/me"))).StatusCode);
        var token = await File.ReadAllTextAsync(api.AdminTokenFile);
        using var signIn = new HttpRequestMessage(HttpMethod.Post,
            new Uri(here, "/api/v1/session"))
        { Content = ApiFixture.Json($$"""{"token":"{{token.Trim()}}"}""") };
        signIn.Headers.Add("X-MetaOpt", "1");
        var cookie = (await trusting.SendAsync(signIn)).Headers.GetValues("Set-Cookie").Single();
        Assert.All(["; secure", "; httponly", "; samesite=strict"], flag => Assert.Contains(flag, cookie));
        // The certificate is another host's.
        var elsewhere = await Assert.ThrowsAsync<HttpRequestException>(
            () => trusting.GetAsync($"https://127.0.0.1:{address.Port}/healthz/ready"));
        Assert.Equal(HttpRequestError.SecureConnectionError, elsewhere.HttpRequestError);

        using var stranger = new HttpClient();
        var untrusted = await Assert.ThrowsAsync<HttpRequestException>(() => stranger.GetAsync(new Uri(here, "/healthz/ready")));
        Assert.Equal(HttpRequestError.SecureConnectionError, untrusted.HttpRequestError);
        await Assert.ThrowsAsync<HttpRequestException>(() => stranger.GetAsync($"http://localhost:{address.Port}/healthz/ready"));
    }

    /// <summary>One for this machine's name, signed by itself, and the arguments that name its files.</summary>
    static (X509Certificate2, string[]) Certificate(string folder, bool keyApart)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var (file, keyFile) = (Path.Combine(folder, "lab.pem"), Path.Combine(folder, "lab.key"));
        var (pem, keyPem) = (made.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(file, keyApart ? pem : $"{pem}\n{keyPem}\n");
        if (keyApart) File.WriteAllText(keyFile, keyPem);
        return (made, keyApart ? ["--certificate", file, "--certificate-key", keyFile] : ["--certificate", file]);
    }
}
