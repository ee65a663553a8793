package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// pages.go checks that the pages of the file follow the rules on which bbolt relies. When bbolt opens a file, it
// searches for free pages in a goroutine of its own. A damaged page causes a panic there, and no caller can recover it.

// The layout of a page, little-endian: a header, then the elements, then their keys and values.
const (
	pageHeaderSize   = 16 // id (8 bytes), flags (2), count (2), overflow (4)
	elementSize      = 16 // branch: key offset (4), key length (4), child (8); leaf: flags, offset, two lengths (4 each)
	bucketHeaderSize = 16 // root (8), sequence (8)
)

// Offsets in the header of a page.
const (
	flagsOffset    = 8
	countOffset    = 10
	overflowOffset = 12
)

// Offsets in an element. The offset of the key counts from the beginning of the element.
const (
	branchKeyOffset = 0
	branchKeyLength = 4
	branchChild     = 8
	leafFlags       = 0
	leafKeyOffset   = 4
	leafKeyLength   = 8
	leafValueLength = 12
)

// The values of a page's flags, and the flag of an element that is a bucket.
const (
	branchPage   = 1
	leafPage     = 2
	freelistPage = 16
	bucketFlag   = 1
)

const (
	// firstPage is the id of the first page behind the two meta pages.
	firstPage = 2
	// longFreelist as the count of a list of free pages means that the real count is in the first 8 bytes after the
	// header.
	longFreelist = 0xffff
)

// pageChecker walks the tree of pages.
type pageChecker struct {
	meta    metaPage
	content []byte
	seen    []bool // the pages that are in use or in the list of free pages
	queue   []subtree
}

// subtree is a page that is still to be checked. All its keys must be at least minKey and below maxKey; nil is no
// limit.
type subtree struct {
	page   uint64
	minKey []byte
	maxKey []byte
}

// checkPages returns an error if content, which has all meta.pageCount pages, has a damaged page that can
// be reached from the root. Every page must contain its own id and have exactly one reference. Its elements must lie
// within the page, and its keys must be in order.
func checkPages(content []byte, meta metaPage) error {
	c := pageChecker{
		meta:    meta,
		content: content,
		seen:    make([]bool, meta.pageCount),
		queue:   []subtree{{page: meta.root}},
	}
	if meta.freelist != noFreelist && !c.checkFreelist() {
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

// claimPage returns the bytes of a page and its overflow pages, and marks them as seen.
func (c *pageChecker) claimPage(id uint64) ([]byte, bool) {
	if id < firstPage || id >= c.meta.pageCount {
		return nil, false
	}
	page := c.content[id*c.meta.pageSize:]
	overflow := uint64(binary.LittleEndian.Uint32(page[overflowOffset:]))
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

// checkFreelist checks the list of free pages and marks the pages in it as seen.
func (c *pageChecker) checkFreelist() bool {
	page, ok := c.claimPage(c.meta.freelist)
	if !ok || binary.LittleEndian.Uint16(page[flagsOffset:]) != freelistPage {
		return false
	}
	const idSize = 8
	count := uint64(binary.LittleEndian.Uint16(page[countOffset:]))
	list := page[pageHeaderSize:]
	if count == longFreelist {
		count = binary.LittleEndian.Uint64(list)
		list = list[idSize:]
	}
	if count > uint64(len(list))/idSize {
		return false
	}
	for i := range count {
		id := binary.LittleEndian.Uint64(list[idSize*i:])
		if id < firstPage || id >= c.meta.pageCount || c.seen[id] {
			return false
		}
		c.seen[id] = true
	}
	return true
}

// checkElements checks a page's elements and queues the pages that they refer to.
func (c *pageChecker) checkElements(page, minKey, maxKey []byte) bool {
	flags := binary.LittleEndian.Uint16(page[flagsOffset:])
	count := int(binary.LittleEndian.Uint16(page[countOffset:]))
	isLeaf := flags == leafPage
	isBranch := flags == branchPage && count > 0
	hasKnownFlags := isLeaf || isBranch
	hasRoomForElements := pageHeaderSize+count*elementSize <= len(page)
	if !hasKnownFlags || !hasRoomForElements {
		return false
	}
	var previous []byte
	for i := range count {
		e, ok := readElement(page, isLeaf, i)
		if !ok {
			return false
		}
		inBounds := bytes.Compare(e.key, minKey) >= 0 && (maxKey == nil || bytes.Compare(e.key, maxKey) < 0)
		inOrder := i == 0 || bytes.Compare(e.key, previous) > 0
		if !inBounds || !inOrder {
			return false
		}
		previous = e.key
		if isLeaf {
			if !c.checkBucket(e) {
				return false
			}
			continue
		}
		child := subtree{page: binary.LittleEndian.Uint64(e.header[branchChild:]), minKey: e.key, maxKey: maxKey}
		if i+1 < count {
			next, ok := readElement(page, isLeaf, i+1)
			if !ok {
				return false
			}
			child.maxKey = next.key
		}
		c.queue = append(c.queue, child)
	}
	return true
}

// element is one element of a branch or leaf page. An element of a branch page has no value.
type element struct {
	header []byte
	key    []byte
	value  []byte
}

// readElement reads element i of a page. ok is false if its key or value lies beyond the end of the page.
func readElement(page []byte, isLeaf bool, i int) (e element, ok bool) {
	offset := uint64(pageHeaderSize + i*elementSize)
	header := page[offset : offset+elementSize]
	uint32At := func(pos int) uint64 { return uint64(binary.LittleEndian.Uint32(header[pos:])) }
	keyOffset := uint32At(branchKeyOffset)
	keyLength := uint32At(branchKeyLength)
	valueLength := uint64(0)
	if isLeaf {
		keyOffset = uint32At(leafKeyOffset)
		keyLength = uint32At(leafKeyLength)
		valueLength = uint32At(leafValueLength)
	}
	keyBegin := offset + keyOffset
	keyEnd := keyBegin + keyLength
	valueEnd := keyEnd + valueLength
	if valueEnd > uint64(len(page)) {
		return element{}, false
	}
	return element{header: header, key: page[keyBegin:keyEnd], value: page[keyEnd:valueEnd]}, true
}

// checkBucket checks an element of a leaf page if it is a bucket. A small bucket is a page inside the value. The root
// page of another bucket is queued.
func (c *pageChecker) checkBucket(e element) bool {
	if binary.LittleEndian.Uint32(e.header[leafFlags:])&bucketFlag == 0 {
		return true
	}
	value := e.value
	if len(value) < bucketHeaderSize {
		return false
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		c.queue = append(c.queue, subtree{page: root})
		return true
	}
	if len(value) < bucketHeaderSize+pageHeaderSize {
		return false
	}
	inlinePage := value[bucketHeaderSize:]
	isLeaf := binary.LittleEndian.Uint16(inlinePage[flagsOffset:]) == leafPage
	return isLeaf && c.checkElements(inlinePage, nil, nil)
}
