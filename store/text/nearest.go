package text

// Nearest returns the one of names with the smallest Levenshtein distance to name, "" if all
// distances are above most.
func Nearest(name string, names []string, most int) (meant string) {
	fewest := most + 1
	for _, candidate := range names {
		if n := changes(name, candidate); n < fewest {
			fewest, meant = n, candidate
		}
	}
	return meant
}

// changes returns the Levenshtein distance of two texts in bytes.
func changes(a, b string) int {
	// One row of the table is enough; diagonal keeps the value that the row has overwritten.
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
