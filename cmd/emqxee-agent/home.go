package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openecp/openecp/internal/agent/home"
)

// findHome returns the agent's directory, and says so when it is not the usual one
// though nobody has asked for another.
func (p *program) findHome() (home.Dir, error) {
	dir := p.homeFlag
	if dir == "" {
		dir = p.variable("HOME")
	}
	if dir == "" {
		var moved bool
		dir, moved = chooseHome(p.root, os.Getuid())
		if moved {
			p.warn("%s cannot be written here, inside the EMQX container: using %s", home.Default, dir)
		}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fail(exitUsage, "", "--home %s: %w", dir, err)
	}
	return home.Dir(abs), nil
}

// chooseHome chooses between the usual directory and the one inside the EMQX
// container. moved tells that it is the latter.
func chooseHome(root string, uid int) (dir string, moved bool) {
	usual, inside := filepath.Join(root, home.Default), filepath.Join(root, home.Container)
	if uid == 0 || exists(usual) || writable(filepath.Dir(usual)) || !writable(filepath.Dir(inside)) {
		return usual, false
	}
	return inside, true
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// makeHome creates the directory with what is in it, readable to its owner only.
func (p *program) makeHome(dir home.Dir) error {
	//nolint:gosec // the parent is no secret of ours
	if err := os.MkdirAll(filepath.Dir(string(dir)), 0o755); err != nil {
		return err
	}
	mended, err := dir.Prepare()
	for _, line := range mended {
		p.warn("%s", line)
	}
	return err
}
