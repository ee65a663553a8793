package fault

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// nameServer is a DNS server whose answers may change from one question to the next.
type nameServer struct {
	address string
	mu      sync.Mutex
	asked   map[string]int // questions about IPv4 addresses, by name with a dot at the end
}

// mustServeNames starts a DNS server. answer returns the addresses of a name at the nth question about it, counted from
// 0.
func mustServeNames(t testing.TB, answer func(name string, n int) []netip.Addr) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &nameServer{address: conn.LocalAddr().String(), asked: map[string]int{}}
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := s.reply(buf[:n], answer); reply != nil {
				_, _ = conn.WriteTo(reply, from) // a lost reply is asked for again
			}
		}
	}()
	return s
}

// reply answers a query with one question (RFC 1035 §4.1).
func (s *nameServer) reply(query []byte, answer func(name string, n int) []netip.Addr) []byte {
	const header, typeA = 12, 1
	name, end := "", header
	for end < len(query) && query[end] != 0 {
		next := end + 1 + int(query[end])
		if next > len(query) {
			return nil
		}
		name += string(query[end+1:next]) + "."
		end = next
	}
	end += 5 // the root label, type and class
	if end > len(query) {
		return nil
	}
	var addresses []netip.Addr
	if binary.BigEndian.Uint16(query[end-4:]) == typeA {
		s.mu.Lock()
		addresses = answer(name, s.asked[name])
		s.asked[name]++
		s.mu.Unlock()
	}
	reply := append([]byte{}, query[:end]...)
	reply[2], reply[3] = 0x81, 0x80                               // a response, no error
	binary.BigEndian.PutUint16(reply[6:], uint16(len(addresses))) // answers
	binary.BigEndian.PutUint32(reply[8:], 0)                      // no other records
	for _, address := range addresses {
		reply = append(reply, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4) // the name above, A, IN, no caching
		reply = append(reply, address.AsSlice()...)
	}
	return reply
}

// questions returns how often the addresses of a name were asked for.
func (s *nameServer) questions(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}
