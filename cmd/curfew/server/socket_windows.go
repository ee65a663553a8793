package server

import "net"

// listenPrivately listens on a Unix socket. Windows protects it by the access list that it inherits from the data
// folder.
func listenPrivately(path string) (net.Listener, error) { return net.Listen("unix", path) }
