package keys

import "testing"

func benchRing(b *testing.B, algorithms ...string) *Ring {
	b.Helper()
	p := mustFixture(b)
	p.cfg.Algorithms = algorithms
	b.ReportAllocs()
	return p.mustLoad(b)
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range []string{ES256, EdDSA, RS256, PS256} {
		b.Run(alg, func(b *testing.B) {
			r := benchRing(b, alg)
			claims := idToken(start)
			for b.Loop() {
				if _, err := r.Sign(alg, "JWT", claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyAccessToken(b *testing.B) {
	r := benchRing(b, ES256)
	token, err := r.Sign(ES256, "at+jwt", accessToken(start))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := r.VerifyAccessToken(token, start); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealAndOpen(b *testing.B) {
	r := benchRing(b, ES256)
	value := make([]byte, 400)
	for b.Loop() {
		text, err := r.Seal("code", value)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Open("code", text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSuccessor(b *testing.B) {
	r := benchRing(b, ES256)
	token := RandomWithPrefix("crt_")
	for b.Loop() {
		r.NextRefreshToken(token)
	}
}
