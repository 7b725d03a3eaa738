"""The settings of challenges: what tells people from bots."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from seckill_sidecar.model import Rate
from seckill_sidecar.settings.section import Outline, Section
from seckill_sidecar.settings.values import Duration, RateLimit


class AltchaSettings(Section):
    """Proof of work, for the ALTCHA widget or the script of ours."""

    field: str = Field("altcha", min_length=1, description="form field, or member of a JSON body, with the solution")
    header: str | None = Field(None, min_length=1, description="header that may carry it instead")
    rounds: int = Field(1000, ge=100, le=20_000, description="rounds of PBKDF2 that one try takes")
    tries: int = Field(1000, ge=10, le=50_000, description="tries until it is solved, at most; half of them on average")


class ImageSettings(Section):
    """Pictures of characters to read, drawn in the background."""

    field: str = Field(
        "seckill_answer", min_length=1, description="form field, or member of a JSON body, with the answer"
    )
    token: str = Field(
        "seckill_challenge", min_length=1, description="the one with the token that came with the picture"
    )
    header: str | None = Field(None, min_length=1, description="header that may carry the answer instead")
    token_header: str | None = Field(None, min_length=1, description="header that may carry the token instead")
    length: int = Field(5, ge=4, le=8, description="characters to read")
    pool: int = Field(64, ge=4, le=1000, description="pictures that a process keeps ready, some 10 KiB each")
    age: Duration = Field(60.0, gt=0, description="how long one is shown; so often all of them are drawn anew")


class SiteverifySettings(Section):
    """A challenge of somebody else, who is asked whether it was solved."""

    url: str = Field(description="where to ask")
    script: str = Field(description="the script of its widget, for our own page")
    site_key: str | None = Field(None, min_length=1, description="the site's public key")
    secret: SecretStr | None = Field(
        None, min_length=1, description="the site's secret there: ${ENVIRONMENT_VARIABLE} or file:/path"
    )
    hostnames: tuple[str, ...] = Field(
        (), description="hosts on whose pages it may have been solved; without any, those that the service lets pass"
    )
    field: str = Field(min_length=1, description="form field, or member of a JSON body, with the solution")
    header: str | None = Field(None, min_length=1, description="header that may carry it instead")
    timeout: Duration = Field(1.5, gt=0, description="how long an answer may take, within timeouts.request")
    on_down: Literal["refuse", "admit"] = Field(
        "refuse", description="when it does not answer: refuse: 503; admit: as if it were solved"
    )


class TurnstileSettings(SiteverifySettings):
    """Cloudflare's."""

    url: str = Field("https://challenges.cloudflare.com/turnstile/v0/siteverify", description="where to ask")
    script: str = Field(
        "https://challenges.cloudflare.com/turnstile/v0/api.js", description="the script of its widget, for our page"
    )
    field: str = Field("cf-turnstile-response", min_length=1, description="field with the solution")


class HcaptchaSettings(SiteverifySettings):
    """hCaptcha's."""

    url: str = Field("https://api.hcaptcha.com/siteverify", description="where to ask")
    script: str = Field("https://js.hcaptcha.com/1/api.js", description="the script of its widget, for our own page")
    field: str = Field("h-captcha-response", min_length=1, description="field with the solution")


class Challenges(Outline):
    """What tells people from bots, on the routes that name a challenge."""

    lifetime: Duration = Field(300.0, gt=0, description="from the giving of a challenge to its use, at most")
    again: Duration = Field(
        30.0,
        description="how long the same purchase may be sent again with its solution; with an idempotency key longer",
    )
    rate: RateLimit = Field(
        Rate(100, 1.0, 200), description="challenges that a process gives, at most, for example 100/s burst 200, or off"
    )
    altcha: AltchaSettings = AltchaSettings()
    image: ImageSettings = ImageSettings()
    turnstile: TurnstileSettings = TurnstileSettings()
    hcaptcha: HcaptchaSettings = HcaptchaSettings()
