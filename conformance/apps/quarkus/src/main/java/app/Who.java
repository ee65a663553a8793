package app;

import io.quarkus.security.Authenticated;
import jakarta.inject.Inject;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import org.eclipse.microprofile.jwt.JsonWebToken;
import io.quarkus.oidc.IdToken;

/** A relying party built with Quarkus OIDC, as its documentation shows it. Settings come from the environment. */
@Path("/who")
@Authenticated
public class Who {
    @Inject
    @IdToken
    JsonWebToken idToken;

    @GET
    public String who() {
        return "signed in as " + idToken.getSubject();
    }
}
