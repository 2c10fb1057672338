"""A result as one page of HTML that opens anywhere (the extra ``gillab[report]``)."""
