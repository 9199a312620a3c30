"""A paper's figure or table done again, with a verdict; one file each, `catalog` lists them."""
