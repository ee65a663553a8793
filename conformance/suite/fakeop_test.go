package suite

import (
	"context"
	"sync"
)

// fakeOP stands for the OP, which is a process of its own.
type fakeOP struct {
	mu        sync.Mutex
	users     []User
	clients   []Client
	rotations int
	closed    int
}

func (o *fakeOP) start(context.Context, Run) (Provider, error) { return o, nil }

func (o *fakeOP) Issuer() string { return "https://op.test" }

func (o *fakeOP) Metadata(context.Context) (map[string]any, error) {
	return map[string]any{
		"issuer":               "https://op.test",
		"token_endpoint":       "https://op.test/token",
		"acr_values_supported": []any{"gold", "silver"},
	}, nil
}

func (o *fakeOP) AddUser(_ context.Context, p User) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.users = append(o.users, p)
	return nil
}

func (o *fakeOP) AddClient(_ context.Context, c Client) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clients = append(o.clients, c)
	return nil
}

func (o *fakeOP) RotateKey(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rotations++
	return nil
}

func (o *fakeOP) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed++
	return nil
}

// fakeBrowser stands for Chromium. It remembers what it was asked for.
type fakeBrowser struct {
	mu      sync.Mutex
	windows int
	visits  []string
	drawn   []string
	visited func(url string) // the effect of a visit; nil: none
}

func (b *fakeBrowser) Open(context.Context, Run, User, string) (Window, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.windows++
	return b, nil
}

func (b *fakeBrowser) Visit(_ context.Context, method, url string, picture bool) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.visits = append(b.visits, method+" "+url)
	if b.visited != nil {
		b.visited(url)
	}
	if picture {
		return []byte("visited"), nil
	}
	return nil, nil
}

func (b *fakeBrowser) Draw(_ context.Context, html string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drawn = append(b.drawn, html)
	return []byte("drawn"), nil
}

func (b *fakeBrowser) Close() {}
