"""What a drawn person looks like, how they hold their head, and the light on them."""

from dataclasses import dataclass

Colour = tuple[int, int, int]

BLACK: Colour = (24, 18, 16)
WHITE: Colour = (246, 244, 240)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A person. Lengths are in half widths of the head, y grows downwards from its middle; shares are from 0 to 1."""

    skin: Colour
    hair: Colour
    hair_style: str
    """short, cropped, bob, long, curly, tied"""
    fringe: float
    """y of the hairline in the middle of the forehead"""
    parting: float
    """where the fringe is highest: -1 left, 1 right"""
    head_height: float
    jaw: float
    """0: pointed, 1: square"""
    ears: float
    eye_spacing: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    eye_y: float
    iris: Colour
    iris_size: float
    lid: float
    """thickness of the upper lid's line"""
    brow_y: float
    """distance above the eye"""
    brow_length: float
    brow_thickness: float
    brow_arch: float
    brow_tilt: float
    nose_y: float
    nose_width: float
    nose_shadow: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    lips: Colour
    smile: float
    cheeks: float
    """how red"""
    freckles: float
    sockets: float
    """how dark the eye sockets are"""
    glasses: str
    """none, round, square, thin"""
    glasses_colour: Colour
    jumper: Colour
    seed: int
    """for strands of hair and freckles"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """How the head is held (degrees) and placed (shares of the picture), and what the mouth does."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x: float = 0.5
    y: float = 0.45
    size: float = 0.29
    """half width of the head, as a share of the picture's width"""
    smile: float = 0.0
    open_mouth: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Where the light comes from (-1 left, 1 right), how strong the shadow is, and its colour."""

    side: float = 0.0
    shadow: float = 0.2
    brightness: float = 1.0
    warmth: float = 0.0
