"""Keys of encrypted contents: kept sealed for as long as the content is played, and given to whoever may have them."""
