package faults_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"strings"
)

// read reads a message: its type, its length and its content. The first message of a connection has no
// type.
func read(from *bufio.Reader, first bool) (kind byte, raw []byte, err error) {
	head := 5
	if first {
		head = 4
	}
	raw = make([]byte, head, 512)
	if _, err := io.ReadFull(from, raw); err != nil {
		return 0, nil, err
	}
	length := int(binary.BigEndian.Uint32(raw[head-4:])) - 4
	raw = append(raw, make([]byte, length)...)
	_, err = io.ReadFull(from, raw[head:])
	if first {
		return 0, raw, err
	}
	return raw[0], raw, err
}

// name returns a short form of a message's statement.
func (at *pair) name(kind byte, content []byte) string {
	text := strings.Split(string(content), "\x00")
	short := func(sql string) string {
		sql = strings.Join(strings.Fields(sql), " ")
		return sql[:min(len(sql), 50)]
	}
	switch {
	case kind == 'Q':
		return short(text[0])
	case kind == 'P' && len(text) > 1: // name, text
		at.statements[text[0]] = short(text[1])
		return short(text[1])
	case kind == 'B' && len(text) > 1: // portal, name
		return at.statements[text[1]]
	case kind == 'd':
		return copyData
	case kind == 'c':
		return "copy done"
	}
	return ""
}
