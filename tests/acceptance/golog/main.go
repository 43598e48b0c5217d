// Reads an exchange's public log with Go's own libraries for transparency logs, and verifies all of it.
//
// It shares nothing with the exchange: golang.org/x/mod/sumdb/note opens the checkpoint, tlog fetches and authenticates
// tiles, and makes the proofs that the exchange's own are held against.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: golog URL VERIFIER-KEY [WITNESS-KEY ...]")
		os.Exit(2)
	}
	told, err := verify(os.Args[1], os.Args[2])
	if err == nil && len(os.Args) > 3 {
		told, err = cosigned(os.Args[1], os.Args[2], os.Args[3:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(told)
}

// verify authenticates every leaf of the log at base, and some of its proofs; it says how far it came.
func verify(base, vkey string) (string, error) {
	tree, err := checkpoint(base, vkey)
	if err != nil {
		return "", err
	}
	hashes := tlog.TileHashReader(tree, &tiles{base: base})
	if err := leaves(base, tree, hashes); err != nil {
		return "", err
	}
	for _, index := range someOf(tree.N) {
		if err := inclusion(base, tree, hashes, index); err != nil {
			return "", fmt.Errorf("inclusion of %d: %w", index, err)
		}
		if err := consistency(base, tree, hashes, index+1); err != nil {
			return "", fmt.Errorf("consistency with %d: %w", index+1, err)
		}
	}
	told, err := json.Marshal(map[string]any{"size": tree.N, "root": fmt.Sprintf("%x", tree.Hash[:])})
	return string(told), err
}

// checkpoint opens the signed note and returns the tree that it names (C2SP tlog-checkpoint).
func checkpoint(base, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := get(base + "/log/checkpoint")
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("the checkpoint is not the log's own")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// cosigned demands that every one of these witnesses has cosigned the checkpoint, and says who has.
func cosigned(base, vkey string, keys []string) (string, error) {
	log, err := note.NewVerifier(vkey)
	if err != nil {
		return "", err
	}
	verifiers := []note.Verifier{log}
	for _, key := range keys {
		witness, err := newWitness(key)
		if err != nil {
			return "", err
		}
		verifiers = append(verifiers, witness)
	}
	signed, err := get(base + "/log/cosigned-checkpoint")
	if err != nil {
		return "", err
	}
	opened, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return "", err
	}
	var names []string
	for _, signature := range opened.Sigs {
		names = append(names, signature.Name)
	}
	if len(names) != len(verifiers) {
		return "", fmt.Errorf("signed by %v alone", names)
	}
	told, err := json.Marshal(map[string]any{"signed_by": names})
	return string(told), err
}

// witness verifies cosignatures (C2SP tlog-cosignature, Ed25519), which note knows nothing of.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newWitness(vkey string) (*witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("no verifier key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		return nil, errors.New("no witness's key")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	return &witness{parts[0], binary.BigEndian.Uint32(sum[:]), key[1:]}, nil
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }
func (w *witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature), text)
	return ed25519.Verify(w.key, []byte(message), signature[8:])
}

// leaves holds every commitment of every entry bundle against the authenticated tiles of level 0.
func leaves(base string, tree tlog.Tree, hashes tlog.HashReader) error {
	for first := int64(0); first < tree.N; first += 1 << tileHeight {
		width := min(tree.N-first, 1<<tileHeight)
		name := tlog.Tile{H: tileHeight, L: -1, N: first >> tileHeight, W: int(width)}
		bundle, err := get(base + "/log/" + strings.Replace(name.Path(), "tile/8/data/", "tile/entries/", 1))
		if err != nil {
			return err
		}
		stored := make([]int64, width)
		for offset := range stored {
			stored[offset] = tlog.StoredHashIndex(0, first+int64(offset))
		}
		known, err := hashes.ReadHashes(stored)
		if err != nil {
			return err
		}
		for offset := int64(0); offset < width; offset++ {
			if len(bundle) < 2 {
				return fmt.Errorf("bundle %d ends at entry %d", name.N, first+offset)
			}
			length := int(bundle[0])<<8 | int(bundle[1])
			commitment := bundle[2 : 2+length]
			bundle = bundle[2+length:]
			if tlog.RecordHash(commitment) != known[offset] {
				return fmt.Errorf("entry %d is not the one in the tree", first+offset)
			}
		}
		if len(bundle) != 0 {
			return fmt.Errorf("bundle %d has more than its entries", name.N)
		}
	}
	return nil
}

func inclusion(base string, tree tlog.Tree, hashes tlog.HashReader, index int64) error {
	var told struct{ Proof [][]byte }
	if err := read(fmt.Sprintf("%s/v1/log/proofs/inclusion?index=%d&size=%d", base, index, tree.N), &told); err != nil {
		return err
	}
	own, err := tlog.ProveRecord(tree.N, index, hashes)
	if err != nil {
		return err
	}
	return same(told.Proof, own)
}

func consistency(base string, tree tlog.Tree, hashes tlog.HashReader, earlier int64) error {
	var told struct{ Proof [][]byte }
	if err := read(fmt.Sprintf("%s/v1/log/proofs/consistency?first=%d&second=%d", base, earlier, tree.N), &told); err != nil {
		return err
	}
	own, err := tlog.ProveTree(tree.N, earlier, hashes)
	if err != nil {
		return err
	}
	return same(told.Proof, own)
}

func same(told [][]byte, own []tlog.Hash) error {
	if !slices.EqualFunc(told, own, func(each []byte, hash tlog.Hash) bool { return string(each) == string(hash[:]) }) {
		return errors.New("the exchange's proof is another one")
	}
	return nil
}

// someOf returns entries at the edges of tiles and subtrees, and some in between.
func someOf(size int64) []int64 {
	var chosen []int64
	for _, each := range []int64{0, 1, 2, 3, 254, 255, 256, 257, 511, 512, size / 3, size / 2, size - 2, size - 1} {
		if each >= 0 && each < size {
			chosen = append(chosen, each)
		}
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}

// tiles reads tiles over HTTP by their names in C2SP tlog-tiles, which leave out the height.
type tiles struct{ base string }

func (t *tiles) Height() int { return tileHeight }

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(wanted))
	for place, tile := range wanted {
		data, err := get(t.base + "/log/" + strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		read[place] = data
	}
	return read, nil
}

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func read(url string, into any) error {
	data, err := get(url)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

func get(url string) ([]byte, error) {
	answer, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, answer.Status)
	}
	return data, err
}
