package sheet

// OfWholeCharacters is ofWholeCharacters, because no reader of a PDF sees where a name was cut.
var OfWholeCharacters = ofWholeCharacters
