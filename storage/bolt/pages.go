package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// pages.go checks every page in use for the rules on which bbolt relies. When bbolt opens a file it looks for free
// pages in a goroutine of its own; a page that breaks a rule panics there, and no caller can recover from that.

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

// subtree is a page that is still to be checked. Its keys are not below minKey and below maxKey; nil is no bound.
type subtree struct {
	page           uint64
	minKey, maxKey []byte
}

// checkPages reports an error if a page that can be reached from the root is damaged. A page that is whole has its own
// number, is referred to once, has no element beyond its end, and has its keys in order.
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

// claimPage returns the bytes of a page and its overflow pages, and notes that they are in use.
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

// checkFreelist checks the list of free pages and notes the pages in it.
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
		if !ok {
			return false
		}
		inBounds := bytes.Compare(key, minKey) >= 0 && (maxKey == nil || bytes.Compare(key, maxKey) < 0)
		inOrder := i == 0 || bytes.Compare(key, previous) > 0
		if !inBounds || !inOrder {
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

// checkBucket checks the value of a leaf element that is a bucket. A small bucket lies inside the value; the page of
// any other is queued.
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
	if len(value) < bucketHeader+pageHeader {
		return false
	}
	inside := value[bucketHeader:]
	return binary.LittleEndian.Uint16(inside[8:]) == leafPage && c.checkElements(inside, nil, nil)
}
