//go:build race

package browser

// raced reports whether these tests have the race detector; then the program gets it too.
const raced = true
