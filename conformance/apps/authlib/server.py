"""A relying party built with Authlib and Flask, as Authlib's documentation shows it. Settings come from the environment."""
import os
from urllib.parse import urlencode

from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, jsonify, redirect, session, url_for

app = Flask(__name__)
app.secret_key = "a long secret for the cookies of a test"
oauth = OAuth(app)
oauth.register(
    "curfew",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=os.environ["ISSUER"] + "/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
)


@app.get("/login")
def login():
    return oauth.curfew.authorize_redirect(url_for("auth", _external=True))


@app.get("/auth")
def auth():
    token = oauth.curfew.authorize_access_token()
    # Authlib takes the user's claims from the ID token.
    session["email"] = token["userinfo"]["email"]
    session["token"] = {"access_token": token["access_token"], "token_type": "Bearer"}
    session["id_token"] = token["id_token"]
    return redirect("/who")


@app.get("/who")
def who():
    """The session of this app ends with its access token: it asks userinfo whether the token is accepted."""
    if "token" not in session:
        return jsonify(signedIn=False)
    try:
        answer = oauth.curfew.get(oauth.curfew.load_server_metadata()["userinfo_endpoint"], token=session["token"])
    except OAuthError:
        session.clear()
        return jsonify(signedIn=False)
    if answer.status_code == 401:
        session.clear()
        return jsonify(signedIn=False)
    return jsonify(signedIn=True, email=session["email"])


@app.get("/logout")
def logout():
    query = urlencode({"id_token_hint": session.pop("id_token", ""), "post_logout_redirect_uri": url_for("who", _external=True)})
    session.clear()
    return redirect(oauth.curfew.load_server_metadata()["end_session_endpoint"] + "?" + query)


app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
