//go:build race

package browser

// raced tells that these tests have the race detector; then the program gets it too.
const raced = true
