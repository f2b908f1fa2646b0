//go:build !unix

package home

import (
	"errors"
	"io/fs"
)

// Lock is for systems that EMQX runs on.
func (d Dir) Lock() (release func(), err error) {
	return nil, errors.New("the agent runs on Unix systems only")
}

// Running is for systems that EMQX runs on.
func (d Dir) Running() (pid int, running bool, err error) { return 0, false, nil }

func inode(fs.FileInfo) uint64 { return 0 }
