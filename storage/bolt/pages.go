package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// pages.go checks every page in use for all that bbolt takes for granted: a single fault that it finds by itself while it
// looks for free pages ends the process, from a goroutine that nobody can catch.

// The layout of a page, little-endian: id, flags, count, overflow, then the elements, then keys and values.
const (
	pageHeader   = 16
	elementSize  = 16
	branchPage   = 1
	leafPage     = 2
	freelistPage = 16
	bucketMark   = 1
	bucketHeader = 16 // root, sequence
)

// pageCheck walks the trees of pages.
type pageCheck struct {
	head    head
	content []byte
	seen    []bool
	queue   []subtree
}

// subtree is a page and between which keys its own lie: from min on and before max, nil being no bound.
type subtree struct {
	page     uint64
	min, max []byte
}

// checkPages tells whether the pages that can be reached from the root are whole: each where it says it is, referred to
// once, with no element beyond its end and its keys in order.
func checkPages(content []byte, h head) error {
	c := pageCheck{head: h, content: content, seen: make([]bool, h.pages), queue: []subtree{{page: h.root}}}
	if h.freelist != noFreelist && !c.free() {
		return damaged("the list of free pages is damaged")
	}
	for len(c.queue) > 0 {
		next := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		page, ok := c.page(next.page)
		if !ok || !c.elements(page, next.min, next.max) {
			return damaged(fmt.Sprintf("page %d is damaged", next.page))
		}
	}
	return nil
}

// page finds a page with its overflow.
func (c *pageCheck) page(id uint64) ([]byte, bool) {
	if id < 2 || id >= c.head.pages {
		return nil, false
	}
	page := c.content[id*c.head.pageSize:]
	overflow := uint64(binary.LittleEndian.Uint32(page[12:]))
	if binary.LittleEndian.Uint64(page) != id || id+overflow >= c.head.pages {
		return nil, false
	}
	for i := id; i <= id+overflow; i++ {
		if c.seen[i] {
			return nil, false
		}
		c.seen[i] = true
	}
	return page[:(overflow+1)*c.head.pageSize], true
}

// free checks the list of free pages, none of which may be in use.
func (c *pageCheck) free() bool {
	list, ok := c.page(c.head.freelist)
	if !ok || binary.LittleEndian.Uint16(list[8:]) != freelistPage {
		return false
	}
	count, list := uint64(binary.LittleEndian.Uint16(list[10:])), list[pageHeader:]
	if count == 0xffff { // too many for the header
		count, list = binary.LittleEndian.Uint64(list), list[8:]
	}
	if count > uint64(len(list))/8 {
		return false
	}
	for i := range count {
		id := binary.LittleEndian.Uint64(list[8*i:])
		if id < 2 || id >= c.head.pages || c.seen[id] {
			return false
		}
		c.seen[id] = true
	}
	return true
}

// elements checks a page's elements and queues the pages that they refer to.
func (c *pageCheck) elements(page, min, max []byte) bool {
	flags, count := binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:]))
	if pageHeader+count*elementSize > len(page) || (flags != leafPage && (flags != branchPage || count == 0)) {
		return false
	}
	var before []byte
	for i := range count {
		e, key, value, ok := element(page, flags, i)
		if !ok || bytes.Compare(key, min) < 0 || (max != nil && bytes.Compare(key, max) >= 0) || (i > 0 && bytes.Compare(key, before) <= 0) {
			return false
		}
		if before = key; flags == leafPage {
			if !c.bucket(e, value) {
				return false
			}
			continue
		}
		end := max
		if i+1 < count {
			if _, end, _, ok = element(page, flags, i+1); !ok {
				return false
			}
		}
		c.queue = append(c.queue, subtree{page: binary.LittleEndian.Uint64(e[8:]), min: key, max: end})
	}
	return true
}

// element finds an element of a page with its key and its value.
func element(page []byte, flags uint16, i int) (e, key, value []byte, ok bool) {
	at := uint64(pageHeader + i*elementSize)
	e = page[at : at+elementSize]
	number := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(e[at:])) }
	pos, keyLength, valueLength := number(0), number(4), uint64(0) // of a branch
	if flags == leafPage {
		pos, keyLength, valueLength = number(4), number(8), number(12)
	}
	from := at + pos
	if from+keyLength+valueLength > uint64(len(page)) {
		return nil, nil, nil, false
	}
	return e, page[from : from+keyLength], page[from+keyLength : from+keyLength+valueLength], true
}

// bucket checks a leaf's value where it is a bucket: one with a page of its own, or with all that it has inside.
func (c *pageCheck) bucket(e, value []byte) bool {
	if binary.LittleEndian.Uint32(e)&bucketMark == 0 {
		return true
	}
	if len(value) < bucketHeader {
		return false
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		c.queue = append(c.queue, subtree{page: root})
		return true
	}
	return len(value) >= bucketHeader+pageHeader && binary.LittleEndian.Uint16(value[bucketHeader+8:]) == leafPage && c.elements(value[bucketHeader:], nil, nil)
}
