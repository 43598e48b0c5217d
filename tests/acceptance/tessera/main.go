// Reads an exchange's public log with the client of Tessera, which was written for other logs, and verifies all of it.
//
// It shares nothing with the exchange, and tells the client nothing but where the log is and by whose key it is signed.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: tessera URL VERIFIER-KEY")
		os.Exit(2)
	}
	told, err := verify(context.Background(), os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(told)
}

// served is a log as the client reaches it, at the tree that its checkpoint names.
type served struct {
	base    string
	fetcher *client.HTTPFetcher
	tree    log.Checkpoint
	builder *client.ProofBuilder
}

// verify authenticates every entry of the log at base, and holds some of its proofs against the client's own.
func verify(ctx context.Context, base, vkey string) (string, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return "", err
	}
	root, err := url.Parse(base + "/log/")
	if err != nil {
		return "", err
	}
	fetcher, err := client.NewHTTPFetcher(root, nil)
	if err != nil {
		return "", err
	}
	tree, _, _, err := client.FetchCheckpoint(ctx, fetcher.ReadCheckpoint, verifier, verifier.Name())
	if err != nil {
		return "", err
	}
	builder, err := client.NewProofBuilder(ctx, tree.Size, fetcher.ReadTile)
	if err != nil {
		return "", err
	}
	read := &served{base, fetcher, *tree, builder}
	if err := read.bundles(ctx); err != nil {
		return "", err
	}
	for _, index := range someOf(tree.Size) {
		if err := read.proofs(ctx, index); err != nil {
			return "", fmt.Errorf("proofs of %d: %w", index, err)
		}
	}
	told, err := json.Marshal(map[string]any{"size": tree.Size, "root": fmt.Sprintf("%x", tree.Hash)})
	return string(told), err
}

// bundles holds the entries of every bundle, full or partial, against the hashes in the tiles above it.
func (s *served) bundles(ctx context.Context) error {
	leaves, err := client.FetchLeafHashes(ctx, s.fetcher.ReadTile, 0, s.tree.Size, s.tree.Size)
	if err != nil {
		return err
	}
	for first := uint64(0); first < s.tree.Size; first += layout.EntryBundleWidth {
		bundle, err := client.GetEntryBundle(ctx, s.fetcher.ReadEntryBundle, first/layout.EntryBundleWidth, s.tree.Size)
		if err != nil {
			return err
		}
		for offset, entry := range bundle.Entries {
			if !bytes.Equal(rfc6962.DefaultHasher.HashLeaf(entry), leaves[first+uint64(offset)]) {
				return fmt.Errorf("entry %d is not the one in the tree", first+uint64(offset))
			}
		}
	}
	return nil
}

// proofs builds an entry's proofs from the tiles, verifies them against the checkpoint, and compares the exchange's.
func (s *served) proofs(ctx context.Context, index uint64) error {
	leaves, err := client.FetchLeafHashes(ctx, s.fetcher.ReadTile, index, 1, s.tree.Size)
	if err != nil {
		return err
	}
	inclusion, err := s.builder.InclusionProof(ctx, index)
	if err != nil {
		return err
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, s.tree.Size, leaves[0], inclusion, s.tree.Hash); err != nil {
		return err
	}
	if err := s.same(fmt.Sprintf("inclusion?index=%d&size=%d", index, s.tree.Size), inclusion); err != nil {
		return err
	}
	consistency, err := s.builder.ConsistencyProof(ctx, index+1, s.tree.Size)
	if err != nil {
		return err
	}
	earlier, err := s.root(ctx, index+1)
	if err != nil {
		return err
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, index+1, s.tree.Size, consistency, earlier, s.tree.Hash); err != nil {
		return err
	}
	return s.same(fmt.Sprintf("consistency?first=%d&second=%d", index+1, s.tree.Size), consistency)
}

// root computes the root of an earlier tree from its own tiles, which were partial where they are full today.
func (s *served) root(ctx context.Context, size uint64) ([]byte, error) {
	hashes, err := client.FetchRangeNodes(ctx, size, s.fetcher.ReadTile)
	if err != nil {
		return nil, err
	}
	edge, err := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewRange(0, size, hashes)
	if err != nil {
		return nil, err
	}
	return edge.GetRootHash(nil)
}

func (s *served) same(query string, own [][]byte) error {
	answer, err := http.Get(s.base + "/v1/log/proofs/" + query)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var told struct{ Proof [][]byte }
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil {
		return err
	}
	if !slices.EqualFunc(told.Proof, own, bytes.Equal) {
		return fmt.Errorf("%s: the exchange's proof is another one", query)
	}
	return nil
}

// someOf returns entries at the edges of tiles and subtrees, and some in between.
func someOf(size uint64) []uint64 {
	var chosen []uint64
	for _, each := range []uint64{0, 1, 254, 255, 256, 257, 511, 512, size / 3, size / 2, size - 2, size - 1} {
		if each < size {
			chosen = append(chosen, each)
		}
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}
