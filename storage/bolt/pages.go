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
	bucketFlag   = 1
	bucketHeader = 16 // root, sequence
)

// pageChecker walks the trees of pages.
type pageChecker struct {
	meta    metaPage
	content []byte
	seen    []bool
	queue   []subtree
}

// subtree is a page and between which keys its own lie: from min on and before max, nil being no bound.
type subtree struct {
	page           uint64
	minKey, maxKey []byte
}

// checkPages reports whether the pages that can be reached from the root are whole: each where it says it is, referred to
// once, with no element beyond its end and its keys in order.
func checkPages(content []byte, h metaPage) error {
	c := pageChecker{meta: h, content: content, seen: make([]bool, h.pageCount), queue: []subtree{{page: h.root}}}
	if h.freelist != noFreelist && !c.checkFreelist() {
		return damagedError("the list of free pages is damaged")
	}
	for len(c.queue) > 0 {
		next := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		page, ok := c.claimPage(next.page)
		if !ok || !c.checkElements(page, next.minKey, next.maxKey) {
			return damagedError(fmt.Sprintf("page %d is damaged", next.page))
		}
	}
	return nil
}

// claimPage finds a page with its overflow.
func (c *pageChecker) claimPage(id uint64) ([]byte, bool) {
	if id < 2 || id >= c.meta.pageCount {
		return nil, false
	}
	page := c.content[id*c.meta.pageSize:]
	overflow := uint64(binary.LittleEndian.Uint32(page[12:]))
	if binary.LittleEndian.Uint64(page) != id || id+overflow >= c.meta.pageCount {
		return nil, false
	}
	for i := id; i <= id+overflow; i++ {
		if c.seen[i] {
			return nil, false
		}
		c.seen[i] = true
	}
	return page[:(overflow+1)*c.meta.pageSize], true
}

// checkFreelist checks the list of free pages, none of which may be in use.
func (c *pageChecker) checkFreelist() bool {
	list, ok := c.claimPage(c.meta.freelist)
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
		if id < 2 || id >= c.meta.pageCount || c.seen[id] {
			return false
		}
		c.seen[id] = true
	}
	return true
}

// checkElements checks a page's elements and queues the pages that they refer to.
func (c *pageChecker) checkElements(page, minKey, maxKey []byte) bool {
	flags, count := binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:]))
	if pageHeader+count*elementSize > len(page) || (flags != leafPage && (flags != branchPage || count == 0)) {
		return false
	}
	var previous []byte
	for i := range count {
		e, key, value, ok := readElement(page, flags, i)
		if !ok || bytes.Compare(key, minKey) < 0 || (maxKey != nil && bytes.Compare(key, maxKey) >= 0) || (i > 0 && bytes.Compare(key, previous) <= 0) {
			return false
		}
		if previous = key; flags == leafPage {
			if !c.checkBucket(e, value) {
				return false
			}
			continue
		}
		end := maxKey
		if i+1 < count {
			if _, end, _, ok = readElement(page, flags, i+1); !ok {
				return false
			}
		}
		c.queue = append(c.queue, subtree{page: binary.LittleEndian.Uint64(e[8:]), minKey: key, maxKey: end})
	}
	return true
}

// readElement finds an element of a page with its key and its value.
func readElement(page []byte, flags uint16, i int) (e, key, value []byte, ok bool) {
	offset := uint64(pageHeader + i*elementSize)
	e = page[offset : offset+elementSize]
	uint32At := func(pos int) uint64 { return uint64(binary.LittleEndian.Uint32(e[pos:])) }
	pos, keyLength, valueLength := uint32At(0), uint32At(4), uint64(0) // of a branch
	if flags == leafPage {
		pos, keyLength, valueLength = uint32At(4), uint32At(8), uint32At(12)
	}
	from := offset + pos
	if from+keyLength+valueLength > uint64(len(page)) {
		return nil, nil, nil, false
	}
	return e, page[from : from+keyLength], page[from+keyLength : from+keyLength+valueLength], true
}

// checkBucket checks a leaf's value where it is a bucket: one with a page of its own, or with all that it has inside.
func (c *pageChecker) checkBucket(e, value []byte) bool {
	if binary.LittleEndian.Uint32(e)&bucketFlag == 0 {
		return true
	}
	if len(value) < bucketHeader {
		return false
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		c.queue = append(c.queue, subtree{page: root})
		return true
	}
	return len(value) >= bucketHeader+pageHeader && binary.LittleEndian.Uint16(value[bucketHeader+8:]) == leafPage && c.checkElements(value[bucketHeader:], nil, nil)
}
