//go:build race

package e2e

// raced tells that these tests have the race detector; then the program gets it too.
const raced = true
